"""`--watch` shows every change once, and ends when it is told to."""

import asyncio
import json
import sys

import pytest

from immutablerelease.runtime.client import RELEASES

from .scene import Scene, promoted

# Moves the cursor up a line.
UP = "\x1b[1A"
Screen = pytest.CaptureFixture[str]


async def until(screen: Screen, text: str, so_far: str = "") -> str:
    """What was shown, once it holds this."""
    async with asyncio.timeout(5):
        while text not in so_far:
            await asyncio.sleep(0.01)
            so_far += screen.readouterr().out
    return so_far


async def stop(watching: "asyncio.Task[int]") -> int:
    """As Ctrl-C does it."""
    watching.cancel()
    return await watching


def watch(scene: Scene, *words: str) -> "asyncio.Task[int]":
    return asyncio.create_task(scene.call("status", *words, "--watch"))


async def test_changes_are_shown_and_an_interrupt_is_a_good_end(capsys: Screen) -> None:
    scene = await promoted()
    watching = watch(scene, "shop")
    await until(capsys, "shop  Active")
    scene.outside.refused.add("v3")
    await scene.release("v3")
    await until(capsys, "shop  Rejected")
    assert await stop(watching) == 0


async def test_what_stays_the_same_is_not_shown_again(capsys: Screen) -> None:
    scene = await promoted()
    watching = watch(scene, "shop", "-o", "json")
    shown = await until(capsys, "}\n")
    release = scene.api.release()
    scene.api.put(RELEASES, {**release, "metadata": {**release["metadata"], "labels": {"a": "b"}}})
    await scene.release("v3")
    shown = await until(capsys, scene.revision("v3"), shown)
    await stop(watching)
    first, end = json.JSONDecoder().raw_decode(shown)
    second, _ = json.JSONDecoder().raw_decode(shown[end:].lstrip())
    assert first != second


async def test_all_releases_can_be_watched(capsys: Screen) -> None:
    scene = await promoted()
    watching = watch(scene)
    await until(capsys, "Active")
    scene.api.remove(RELEASES, "demo", "shop")
    await until(capsys, "no releases in namespace demo")
    assert await stop(watching) == 0


async def test_a_release_that_is_deleted_ends_the_watch(capsys: Screen) -> None:
    scene = await promoted()
    watching = watch(scene, "shop")
    await until(capsys, "shop  Active")
    scene.api.remove(RELEASES, "demo", "shop")
    assert await watching == 1
    assert "there is no release shop in namespace demo" in capsys.readouterr().err


async def test_on_a_terminal_it_is_drawn_in_its_place(
    capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await promoted()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    watching = watch(scene, "shop")
    shown = await until(capsys, "Next")
    assert UP not in shown
    scene.outside.refused.add("v3")
    await scene.release("v3")
    assert UP in await until(capsys, "Rejected")
    assert await stop(watching) == 0
