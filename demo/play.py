"""Plays the scenes, judges each by its own words and by what users got, and writes it all down."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .child import tail
from .errors import DemoError, Unmet
from .records import Window
from .scenes import SCENES, Scene
from .stage import Stage


@dataclass(frozen=True)
class Result:
    """What came of a scene."""

    name: str
    ok: bool
    seconds: float
    requests: int
    failed: int
    outage: float
    seen: str


def play_all(stage: Stage) -> list[Result]:
    """All scenes in order; the first that fails ends the play, since the next build on it."""
    results = []
    for scene in SCENES:
        stage.timeline.heading(f"{scene.name}: expected {scene.expected}")
        result = _play(stage, scene)
        results.append(result)
        verdict = "ok" if result.ok else "FAILED"
        stage.timeline.say(verdict, result.seen)
        if not result.ok:
            print(f"\nthe end of {stage.operator.log}:\n{tail(stage.operator.log)}")
            break
    return results


def _play(stage: Stage, scene: Scene) -> Result:
    began = time.time()
    try:
        seen, ok = scene.play(stage, began), True
    except DemoError as error:
        seen, ok = str(error), False
    window = _window(stage, began)
    if ok:
        try:
            judge(scene, window)
        except Unmet as unmet:
            seen, ok = str(unmet), False
    return Result(
        name=scene.name,
        ok=ok,
        seconds=round(time.time() - began, 1),
        requests=window.requests,
        failed=window.failed,
        outage=round(window.outage, 3),
        seen=seen,
    )


def _window(stage: Stage, began: float) -> Window:
    """What users got during the scene; nothing where there were none or their client died."""
    if stage.traffic is None:
        return Window([])
    try:
        return stage.traffic.window(began)
    except DemoError as error:
        stage.timeline.say("users", str(error))
        return Window([])


def judge(scene: Scene, window: Window) -> None:
    """Whether users got what the scene promises.

    Raises:
        Unmet: they did not.
    """
    if not window.requests:
        raise Unmet("users all the time", "no request")
    if not scene.users_may_notice and window.failed:
        raise Unmet("0 failed requests", f"{window.failed}: {dict(window.outcomes)}")
    if scene.outage_key and not 0 < window.outage <= scene.outage_limit:
        raise Unmet(
            f"at most {scene.outage_limit:g} s from the first failed response to the last",
            f"{window.outage:.2f} s and {window.failed} failed requests",
        )


def figures(results: Sequence[Result]) -> dict[str, object]:
    """What demo.json holds."""
    outages = {
        scene.outage_key: next((item.outage for item in results if item.name == scene.name), None)
        for scene in SCENES
        if scene.outage_key
    }
    keys = ("name", "ok", "seconds", "requests", "failed")
    return {
        "scenes": [{key: asdict(item)[key] for key in keys} for item in results],
        **outages,
        "ok": len(results) == len(SCENES) and all(item.ok for item in results),
    }


def write_figures(results: Sequence[Result], path: Path) -> bool:
    """Write demo.json; whether all held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = figures(results)
    path.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    return bool(held["ok"])


def table(results: Sequence[Result]) -> str:
    """The summary, one row a scene; scenes that were not played are named too."""
    header = ("scene", "", "seconds", "requests", "failed", "outage")
    played = [
        (
            item.name,
            "ok" if item.ok else "FAILED",
            f"{item.seconds:.1f}",
            str(item.requests),
            str(item.failed),
            f"{item.outage:.2f} s" if item.failed else "-",
        )
        for item in results
    ]
    rest = [(scene.name, "not played", "-", "-", "-", "-") for scene in SCENES[len(results) :]]
    rows = [header, *played, *rest]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
