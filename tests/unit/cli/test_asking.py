"""What people ask for is recorded as a ReleaseAction, and its answer is the exit code."""

import json

import pytest
import yaml

from immutablerelease.runtime.client import ACTIONS, Object

from .scene import Scene, promoted


def actions(scene: Scene) -> list[Object]:
    return list(scene.api.of(ACTIONS))


async def awaiting() -> Scene:
    """The second version passed its probes and waits for somebody's word."""
    scene = Scene()
    await scene.operator.run(20)
    scene.api.change(strategy={"blueGreen": {"promotion": "Manual"}})
    await scene.release("v2", 3)
    return scene


async def test_promote_asks_waits_and_says_what_was_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await awaiting()
    assert await scene.ask("promote", "shop", "--reason", "tried it by hand") == 0
    (action,) = actions(scene)
    assert action["spec"] == {
        "release": "shop",
        "action": "Promote",
        "reason": "tried it by hand",
    }
    assert capsys.readouterr().out.splitlines() == [
        f"asked: Promote shop (ReleaseAction {action['metadata']['name']})",
        f"done: promotion of {scene.revision('v2')} approved; traffic moves when its probes pass",
    ]
    await scene.operator.run(2)
    assert scene.api.serving() == scene.revision("v2")


async def test_what_cannot_be_done_is_told_and_is_no_success(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await promoted()
    assert await scene.ask("promote", "shop") == 1
    assert "refused: nothing to promote" in capsys.readouterr().out


async def test_promote_can_name_the_candidate_and_go_all_the_way() -> None:
    scene = await awaiting()
    await scene.call("promote", "shop", "--full", "--revision", "2", "--no-wait")
    spec = actions(scene)[0]["spec"]
    assert (spec["revision"], spec["full"]) == (scene.revision("v2"), True)


async def test_abort_drops_the_candidate(capsys: pytest.CaptureFixture[str]) -> None:
    scene = await awaiting()
    assert await scene.ask("abort", "shop", "--reason", "wrong colour") == 0
    assert f"{scene.revision('v1')} serves" in capsys.readouterr().out
    assert scene.api.serving() == scene.revision("v1")


@pytest.mark.parametrize("wish", ["1", "#1", "name"])
async def test_rollback_goes_to_a_revision_by_name_or_number(wish: str) -> None:
    scene = await promoted()
    first = scene.revision("v1")
    to = first if wish == "name" else wish
    assert await scene.ask("rollback", "shop", "--to", to) == 0
    assert actions(scene)[0]["spec"]["revision"] == first
    assert scene.api.serving() == first


async def test_rollback_without_a_target_goes_to_the_known_good_one() -> None:
    scene = await promoted()
    assert await scene.ask("rollback", "shop") == 0
    assert "revision" not in actions(scene)[0]["spec"]
    assert scene.api.serving() == scene.revision("v1")


async def test_a_rollback_to_a_cold_revision_tells_that_it_is_under_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await promoted()
    await scene.operator.run(120, step=10)
    assert await scene.ask("rollback", "shop") == 0
    told = capsys.readouterr().out.splitlines()
    first = scene.revision("v1")
    assert told[1] == (f"under way: {first} is being started; traffic follows when its probes pass")
    assert told[2] == f"done: traffic went to {first}"


async def test_retry_tries_a_refused_revision_again() -> None:
    scene = await promoted()
    scene.outside.refused.add("v3")
    await scene.release("v3")
    scene.outside.refused.clear()
    assert await scene.ask("retry", "shop") == 0
    assert scene.api.serving() == scene.revision("v3")


async def test_nobody_has_to_wait(capsys: pytest.CaptureFixture[str]) -> None:
    scene = await awaiting()
    assert await scene.call("promote", "shop", "--no-wait") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert "status" not in actions(scene)[0]


async def test_an_operator_that_does_not_answer_is_neither_yes_nor_no(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await awaiting()
    assert await scene.call("promote", "shop", "--timeout", "50ms") == 3
    assert "no answer within 50ms; it stays asked for" in capsys.readouterr().err


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
async def test_programs_get_the_answered_action_alone(
    form: str, read: object, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = await awaiting()
    assert await scene.ask("promote", "shop", "-o", form) == 0
    assert callable(read)
    answer = read(capsys.readouterr().out)
    assert (answer["kind"], answer["status"]["phase"]) == ("ReleaseAction", "Succeeded")


async def test_nothing_is_asked_of_a_release_that_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await promoted()
    assert await scene.call("promote", "shpo", "-n", "demo") == 1
    assert "there is no release shpo in namespace demo" in capsys.readouterr().err
    assert actions(scene) == []


async def test_a_number_that_no_revision_has_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    scene = await promoted()
    assert await scene.call("rollback", "shop", "--to", "9") == 1
    assert "no revision number 9" in capsys.readouterr().err
    assert actions(scene) == []


async def test_a_duration_that_is_none_is_a_call_that_makes_no_sense() -> None:
    scene = await promoted()
    with pytest.raises(SystemExit, match="2"):
        await scene.call("promote", "shop", "--timeout", "soon")
