"""A scene is judged by what users got, and the figures say what the table says."""

import pytest

from demo.errors import Unmet
from demo.play import Result, figures, judge, table
from demo.records import Record, Window
from demo.scenes import SCENES, Scene


def window(*outcomes: str) -> Window:
    return Window(
        [Record(at, 100.0 + at, 0.0, outcome, "v2") for at, outcome in enumerate(outcomes)]
    )


def scene(**fields: object) -> Scene:
    return Scene("name", "expected", lambda stage, began: "", **fields)  # type: ignore[arg-type]


def result(name: str, ok: bool = True, failed: int = 0, outage: float = 0.0) -> Result:
    return Result(name, ok, 1.0, 200, failed, outage, "seen")


def test_one_failed_request_fails_a_scene_that_users_may_not_notice() -> None:
    judge(scene(), window("200", "200"))
    with pytest.raises(Unmet, match="expected 0 failed requests, saw 1"):
        judge(scene(), window("200", "refused"))


def test_a_scene_without_users_proves_nothing() -> None:
    with pytest.raises(Unmet, match="no request"):
        judge(scene(users_may_notice=True), window())


@pytest.mark.parametrize(
    ("outcomes", "holds"),
    [
        pytest.param(("500", "200", "500", "200"), True, id="2 s"),
        pytest.param(("500", "200", "200", "200", "500"), False, id="4 s, over the limit"),
        pytest.param(("200", "200"), False, id="no failure at all: the version was never bad"),
    ],
)
def test_an_outage_must_have_been_and_be_short(outcomes: tuple[str, ...], holds: bool) -> None:
    reverted = scene(users_may_notice=True, outage_key="revert_seconds", outage_limit=3.0)
    if holds:
        judge(reverted, window(*outcomes))
    else:
        with pytest.raises(Unmet):
            judge(reverted, window(*outcomes))


def test_all_held_only_if_every_scene_was_played_and_held() -> None:
    results = [result(item.name, failed=10, outage=2.5) for item in SCENES]
    held = figures(results)
    assert held["ok"] is True
    assert (held["revert_seconds"], held["crash_revert_seconds"]) == (2.5, 2.5)
    assert figures(results[:-1])["ok"] is False
    assert figures([*results[:-1], result(SCENES[-1].name, ok=False)])["ok"] is False


def test_the_table_names_scenes_that_were_not_played() -> None:
    text = table([result(SCENES[0].name, ok=False)])
    assert "FAILED" in text
    assert text.count("not played") == len(SCENES) - 1
