"""Only processes that were started here are ever ended."""

import dataclasses
import os
import signal
import sys
from pathlib import Path

from devcluster import processes

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]


def launch(tmp_path: Path) -> processes.Record:
    return processes.start("sleeper", FOREVER, log=tmp_path / "log", records=tmp_path / "records")


def test_a_started_process_is_on_record_until_it_is_ended(tmp_path: Path) -> None:
    record = launch(tmp_path)
    assert processes.recorded(tmp_path / "records") == {"sleeper": record}
    assert record.alive
    processes.kill([record])
    assert not record.alive


def test_a_pid_that_was_given_to_another_process_is_left_alone(tmp_path: Path) -> None:
    record = launch(tmp_path)
    earlier = dataclasses.replace(record, start_time=record.start_time - 1)
    assert not earlier.alive
    processes.kill([earlier])
    assert record.alive
    processes.kill([record])


def test_a_record_of_another_boot_is_not_alive(tmp_path: Path) -> None:
    record = launch(tmp_path)
    assert not dataclasses.replace(record, boot="another").alive
    processes.kill([record])


def test_a_record_cut_short_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "etcd.json").write_text('{"name": "etcd", "pi')
    assert processes.recorded(tmp_path) == {}


def test_one_never_finds_oneself_or_a_parent() -> None:
    assert processes.seen([os.getpid(), os.getppid(), 1]) == []


def test_a_killed_process_counts_as_lost_from_that_moment(tmp_path: Path) -> None:
    record = launch(tmp_path)
    os.kill(record.pid, signal.SIGKILL)
    assert not record.alive
