"""The client's file is read without missing a request, however late its answer comes."""

import threading
import time
from pathlib import Path

import pytest

from demo import records as module
from demo.load import parse
from demo.records import Record, Records, RecordsMissing, Window


def line(sequence: int, sent: float, outcome: str = "200", millis: float = 1.0) -> str:
    version = "v1" if outcome == "200" else ""
    return f"{sequence}\t{sent:.4f}\t{millis:.1f}\t{outcome}\t{version}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "requests.tsv"


def test_a_window_holds_what_was_sent_in_it_in_order(path: Path) -> None:
    path.write_text("".join(line(number, 100.0 + number) for number in (1, 0, 3, 2, 4)))
    window = Records(path).window(101.0, 104.0)
    assert [record.sequence for record in window.records] == [1, 2, 3]
    assert window.versions == ["v1"]


def test_a_window_waits_for_a_request_that_is_still_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE", 0.1)
    now = time.time()
    answered = [line(number, now - 5 + number) for number in (0, 2, 3)]
    path.write_text("".join(answered))
    records = Records(path)
    with pytest.raises(RecordsMissing):
        records.window(now - 5, now - 2.5)
    path.write_text("".join([*answered, line(1, now - 4, "timeout", 2000)]))
    assert [record.outcome for record in records.window(now - 5, now - 2.5).failures] == ["timeout"]


def test_half_a_line_is_left_for_later(path: Path) -> None:
    records = Records(path)
    whole = line(0, 100.0) + line(1, 101.0)
    path.write_text(whole[:-5])
    assert len(records.since(0)) == 1
    path.write_text(whole)
    assert len(records.since(0)) == 2


def test_threads_that_read_at_once_skip_nothing(path: Path) -> None:
    path.write_text("")
    records = Records(path)
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            records.since(1e9)

    readers = [threading.Thread(target=look) for _ in range(4)]
    for reader in readers:
        reader.start()
    with path.open("a", encoding="ascii") as out:
        for number in range(2000):
            out.write(line(number, 100.0 + number))
            out.flush()
    done.set()
    for reader in readers:
        reader.join()
    assert [record.sequence for record in records.since(0)] == list(range(2000))


def test_an_outage_lasts_from_the_first_failed_response_to_the_last(path: Path) -> None:
    path.write_text(
        line(0, 100.0)
        + line(1, 101.0, "500", 100)
        + line(2, 102.0)
        + line(3, 103.0, "refused", 600)
        + line(4, 104.0)
    )
    window = Records(path).window(100.0, 104.0)
    assert (window.requests, window.failed) == (4, 2)
    assert window.outage == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"version": "v1"}', ("200", "v1"), id="an answer"),
        pytest.param(b'HTTP/1.1 500 E\r\n\r\n{"version": "v1"}', ("500", "v1"), id="an error"),
        pytest.param(b"HTTP/1.1 502 E\r\n\r\nbad gateway", ("502", ""), id="a proxy's error"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n{", ("garbled", ""), id="a body cut short"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", ("garbled", ""), id="a head cut short"),
        pytest.param(b"", ("closed", ""), id="nothing"),
    ],
)
def test_only_a_whole_answer_counts(answer: bytes, expected: tuple[str, str]) -> None:
    assert parse(answer) == expected


def test_a_window_is_shown_by_what_came_of_it() -> None:
    sent = [Record(0, 0.0, 1.0, "200", "v1"), Record(1, 2.5, 1.0, "timeout", "")]
    assert repr(Window(sent)) == "<1 200, 1 timeout; failed from 00:00:02.500 to 00:00:02.500>"
    assert repr(Window(sent[:1])) == "<1 200>"
    assert repr(Window([])) == "<no requests>"
