"""The scenes: what goes wrong with the new version, and how long its users feel it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.system import App, System
from demo.errors import Unmet
from demo.traffic import Traffic

RATE = 100.0
# Seconds for which a kept connection is used; for ever, it would never leave the first version.
KEPT_SECONDS = 5.0
KEPT_RATE = 20.0
NEW, KEPT = "new connections", "kept connections"
GOOD = {"VERSION": "v1"}
# Seconds after the first failed response in which a system may still go back.
PATIENCE = 57.0
# Undisturbed for so long, users are back for good.
CALM = 3.0
_STARTS_FAILING_WITHIN = 120.0


@dataclass(frozen=True)
class Scene:
    """One thing that goes wrong after users were sent to the new version."""

    name: str
    env: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """What one kind of users of one system felt in one scene."""

    scene: str
    system: str
    version: str
    users: str
    # From the first failed response to the last; None: failing still when patience ended.
    revert_seconds: float | None
    requests: int
    failed: int
    # From the system's own verdict to the last failed response; None where it does not say.
    verdict_seconds: float | None = None


FAILS = Scene("fails after promotion", {"VERSION": "v2", "FAIL_AFTER": "8"})
DIES = Scene("new Pods all die", {"VERSION": "v2", "CRASH_AFTER": "4", "STATE_DIR": "/state"})
SCENES = (FAILS, DIES)


def measure(scene: Scene, system: System, app: App, scratch: Path) -> list[Measured]:
    """Release a good version, let users in, release the bad one, and watch its users."""
    host = system.deploy(app, GOOD)
    with ExitStack() as exits:
        crowds = {
            NEW: Traffic(host, scratch / app.namespace / "new", rate=RATE),
            KEPT: Traffic(
                host, scratch / app.namespace / "kept", rate=KEPT_RATE, keep_alive=KEPT_SECONDS
            ),
        }
        for users in crowds.values():
            exits.callback(users.stop)
            users.await_answers()
        began = time.time()
        system.update(app, scene.env)
        first = crowds[NEW].await_failure(began, _STARTS_FAILING_WITHIN)
        until = first.answered + PATIENCE
        return [
            _felt(scene, system, app, kind, users, first.sent, until)
            for kind, users in crowds.items()
        ]


def _felt(
    scene: Scene,
    system: System,
    app: App,
    kind: str,
    users: Traffic,
    since: float,
    until: float,
) -> Measured:
    recovered = _recovers(users, until - time.time())
    window = users.window(since)
    last = max((record.answered for record in window.failures), default=since)
    decided = system.decided(app) if recovered and kind == NEW else None
    return Measured(
        scene=scene.name,
        system=system.name,
        version=system.version,
        users=kind,
        revert_seconds=round(window.outage, 2) if recovered else None,
        requests=window.requests,
        failed=window.failed,
        verdict_seconds=None if decided is None else round(max(0.0, last - decided), 3),
    )


def _recovers(users: Traffic, seconds: float) -> bool:
    try:
        users.await_calm("v1", CALM, max(0.0, seconds) + CALM)
    except Unmet:
        return False
    return True
