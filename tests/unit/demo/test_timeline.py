"""The timeline tells of users what changed for them, and nothing else."""

from demo.records import Record
from demo.timeline import Users


def record(sequence: int, outcome: str, version: str) -> Record:
    return Record(sequence, 100.0 + sequence / 10, 1.0, outcome, version)


def test_a_switch_an_outage_and_its_end_are_one_line_each() -> None:
    users = Users()
    served = [record(number, "200", "v1") for number in range(5)]
    assert users.news(served) == ["served by v1"]
    switched = [record(number, "200", "v2") for number in range(5, 10)]
    assert users.news([*served, *switched]) == ["served by v2"]
    failing = [record(number, "500", "v2") for number in range(10, 20)]
    assert users.news(failing) == ["requests fail: 500 v2"]
    back = [record(number, "200", "v1") for number in range(20, 30)]
    assert users.news(back) == ["served by v1 again; 10 requests failed within 0.90 s"]
    assert users.news(back) == []


def test_answers_between_failures_do_not_end_an_outage() -> None:
    users = Users()
    mixed = [record(at, "refused" if at % 2 else "200", "v2") for at in range(10)]
    assert users.news(mixed) == ["served by v2", "requests fail: refused v2"]
