"""Programs of the distribution are installed by root and named to everybody else."""

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
