"""The scenes, in the order in which they are played; each states what must hold.

A scene returns one sentence that says what was seen, or raises `Unmet`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from .errors import Unmet
from .interference import ATTEMPTS
from .releases import RevisionView
from .stage import CRASH_AFTER, FAIL_AFTER, Stage

REVERT_LIMIT = 3.0
CRASH_REVERT_LIMIT = 5.0
# What a version may take until it serves.
SERVE_LIMIT = 60.0
# This long users must be undisturbed before a scene counts as over.
CALM = 1.5


@dataclass(frozen=True)
class Scene:
    """One scene: `play` is given the stage and the time at which it began."""

    name: str
    expected: str
    play: Callable[[Stage, float], str]
    # Where a bad version serves for a moment, some users notice; everywhere else, none may.
    users_may_notice: bool = False
    # Key of demo.json under which the seconds of failing requests go.
    outage_key: str = ""
    outage_limit: float = 0.0


def first_version(stage: Stage, began: float) -> str:
    """Nothing serves yet; users come as soon as something does."""
    revision = stage.apply("v1")
    stage.release.await_active(revision.name)
    stage.open_doors()
    stage.users.await_calm("v1", CALM, 15)
    return f"{revision.name} serves"


def next_version(stage: Stage, began: float) -> str:
    """The ordinary case."""
    revision = stage.apply("v2")
    stage.release.await_active(revision.name)
    seconds = time.time() - began
    stage.users.await_calm("v2", CALM, 15)
    stage.release.await_good(revision.name)
    return f"promoted after {seconds:.1f} s, good after {time.time() - began:.1f} s"


def unsigned(stage: Stage, began: float) -> str:
    """Nobody signed it."""
    return _refused(stage, "v3-unsigned")


def foreign(stage: Stage, began: float) -> str:
    """Somebody signed it, but nobody whom the policy trusts."""
    return _refused(stage, "v3-foreign")


def failing(stage: Stage, began: float) -> str:
    """Good at first, then 500 to everybody, with all Pods ready all the time."""
    before = _serving(stage)
    revision = stage.apply("v4")
    stage.release.await_active(revision.name)
    stage.users.await_failure(began, FAIL_AFTER + 15)
    return _reverted(stage, before, revision, limit=15)


def crashing(stage: Stage, began: float) -> str:
    """All of its Pods die under the first users and never come back."""
    before = _serving(stage)
    revision = stage.apply("v5")
    # It serves for so short a time that a look from time to time may miss it; its users do not.
    stage.users.await_failure(began, SERVE_LIMIT + CRASH_AFTER)
    return _reverted(stage, before, revision, limit=30)


def tampering(stage: Stage, began: float) -> str:
    """As cluster-admin, who may do everything."""
    active = _serving(stage)
    before = _fingerprint(stage, active)
    for attempt in ATTEMPTS:
        message = attempt.refusal(stage.release, active, stage.images["v3-unsigned"].ref)
        stage.timeline.say("admin", f"{attempt.title}: refused: {message}")
    after = _fingerprint(stage, active)
    if after != before:
        raise Unmet(f"nothing of {active} to have changed", f"{before} become {after}")
    stage.users.await_calm("v2", CALM, 10)
    return f"{len(ATTEMPTS)} of {len(ATTEMPTS)} refused, nothing changed"


def killed(stage: Stage, began: float) -> str:
    """Twice in one promotion: while the Pods start, and the moment the traffic has moved."""
    revision = stage.apply("v6")
    stage.release.await_begun(revision.name)
    _kill(stage, "while v6 starts")
    # Not awaited: the second blow must come as soon as the traffic has moved.
    stage.operator.launch()
    stage.release.await_selected(revision.name)
    _kill(stage, "as traffic moves")
    stage.operator.start()
    stage.timeline.say("operator", "started again")
    stage.release.await_active(revision.name)
    stage.users.await_calm("v6", CALM, 15)
    return "killed twice, finished"


SCENES = (
    Scene("v1 signed", "Active", first_version, users_may_notice=True),
    Scene("v2 signed", "promoted, 0 failed requests", next_version),
    Scene("v3 unsigned", "Rejected, v2 serves, no Deployment was made", unsigned),
    Scene("v3 signed with a foreign key", "Rejected, v2 serves, no Deployment was made", foreign),
    Scene(
        f"v4 fails its probe after {FAIL_AFTER} s",
        f"reverted to v2 within {REVERT_LIMIT:g} s of the first failure",
        failing,
        users_may_notice=True,
        outage_key="revert_seconds",
        outage_limit=REVERT_LIMIT,
    ),
    Scene(
        "v5 crashes after the switch",
        f"reverted to v2 within {CRASH_REVERT_LIMIT:g} s though nothing of v5 is ready",
        crashing,
        users_may_notice=True,
        outage_key="crash_revert_seconds",
        outage_limit=CRASH_REVERT_LIMIT,
    ),
    Scene("cluster-admin changes things by hand", "each refused, with a message", tampering),
    Scene("operator killed with -9 mid-promotion", "finished, 0 failed requests", killed),
)


def _serving(stage: Stage) -> str:
    active = stage.release.active()
    if active is None:
        raise Unmet("something to serve", stage.release.describe())
    return active


def _refused(stage: Stage, version: str) -> str:
    before = _serving(stage)
    revision = stage.apply(version)
    rejected = stage.release.await_phase(revision.name, "Rejected", 30)
    stage.release.await_that(
        f"{stage.release.name} to be Rejected and Stalled",
        lambda: (
            (
                stage.release.status().get("phase") == "Rejected"
                and stage.release.condition("Stalled").get("status") == "True"
            )
            or None
        ),
        10,
    )
    if stage.kube.find("Deployment", revision.name, stage.release.namespace):
        raise Unmet(f"no Deployment of {revision.name}", "one")
    if _serving(stage) != before:
        raise Unmet(f"{before} to serve on", stage.release.describe())
    stage.users.await_calm("v2", CALM, 10)
    return rejected.message


def _reverted(stage: Stage, before: str, failed: RevisionView, limit: float) -> str:
    stage.release.await_active(before, limit)
    stage.release.await_phase(failed.name, "Failed", 10)
    stage.users.await_calm("v2", CALM, 10)
    return stage.release.revision(failed.name).message


def _fingerprint(stage: Stage, active: str) -> dict[str, object]:
    namespace = stage.release.namespace
    pods = stage.release.pods(active)
    return {
        "template": stage.kube.get("Deployment", active, namespace)["metadata"]["generation"],
        "selector": stage.release.selected(),
        "pods": sorted(pod["metadata"]["name"] for pod in pods),
        "images": sorted({item["image"] for pod in pods for item in pod["spec"]["containers"]}),
    }


def _kill(stage: Stage, when: str) -> None:
    stage.operator.kill()
    stage.timeline.say("operator", f"killed with -9 {when}")
