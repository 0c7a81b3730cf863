"""The files in crds/ are what the models say, and a stale one is named with what to run."""

import subprocess
import sys
from pathlib import Path

from immutablerelease.api.crds import files, stale, write

ROOT = Path(__file__).parents[3]


def _check(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "immutablerelease.api.crds", "--check", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_files_of_the_repository_are_up_to_date() -> None:
    problems = stale(ROOT / "crds")
    assert not problems, "run: python -m immutablerelease.api.crds --write crds/"


def test_what_was_written_is_up_to_date(tmp_path: Path) -> None:
    write(tmp_path / "crds")
    assert stale(tmp_path / "crds") == []
    assert _check(tmp_path / "crds").returncode == 0


def test_a_stale_file_is_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    write(tmp_path)
    changed, missing = sorted(files())[:2]
    (tmp_path / changed).write_text("kind: Other\n")
    (tmp_path / missing).unlink()
    (tmp_path / "old.yaml").write_text("kind: Old\n")

    checked = _check(tmp_path)

    assert checked.returncode == 1
    assert set(checked.stdout.splitlines()) == {
        f"{tmp_path / changed} is not what the models say",
        f"{tmp_path / missing} is missing",
        f"{tmp_path / 'old.yaml'} belongs to no kind",
        f"run: python -m immutablerelease.api.crds --write {tmp_path}",
    }


def test_writing_removes_what_belongs_to_no_kind(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("kind: Old\n")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(files())
