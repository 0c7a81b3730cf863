"""Programs of the distribution are installed by root and named to everybody else."""

import subprocess
from pathlib import Path

import pytest

from devcluster import packages
from devcluster.errors import MissingPackagesError

NOT_THERE = "a-package-that-nobody-has"


def test_what_is_there_needs_nothing() -> None:
    packages.ensure(["util-linux"] if not packages.missing(["util-linux"]) else [])


def test_missing_packages_are_named_to_a_user_who_cannot_install_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(MissingPackagesError, match=f"`apt-get install {NOT_THERE}`"):
        packages.ensure([NOT_THERE])


def test_missing_packages_are_named_where_there_is_no_apt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPackagesError, match="are missing: a-package-that-nobody-has"):
        packages.ensure([NOT_THERE])


def test_what_is_installed_may_start_no_service_meanwhile(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with packages.no_services(policy):
        refused = subprocess.run([policy, "prometheus", "start"], check=False)
        assert refused.returncode == 101
    assert not policy.exists()


def test_the_machines_own_word_on_services_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("its own")
    with packages.no_services(policy):
        assert policy.read_text() == "its own"
    assert policy.read_text() == "its own"
