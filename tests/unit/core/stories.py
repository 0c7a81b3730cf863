"""Stories of releases: what people and applications do, one thing after another, with time between.

Each is told to the simulated cluster once undisturbed and again with everything going wrong; the
end must be the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from immutablerelease.api.action import ActionKind
from immutablerelease.api.release import Promotion, ReleaseSpec

from .cluster import Cluster
from .invariants import Invariants
from .objects import NAME
from .simulator import Faults, Operator
from .stage import release_spec

# Longer than it takes to start, test and promote, shorter than to bake.
CALM = 12
# Longer than anything that is waited for after the last act.
REST = 80

Act = Callable[[Cluster], object]


@dataclass(frozen=True)
class Story:
    """A release, and what happens to it; each act is followed by so many seconds."""

    name: str
    spec: ReleaseSpec
    acts: tuple[tuple[Act, int], ...]


def deploy(version: str) -> Act:
    """Somebody commits a version."""
    return lambda cluster: cluster.deploy(version)


def turn(version: str, **how: Any) -> Act:
    """A version begins to behave in some way."""

    def act(cluster: Cluster) -> None:
        for name, value in how.items():
            setattr(cluster.of_version(version), name, value)

    return act


def ask(kind: ActionKind, version: str | None = None) -> Act:
    """Somebody creates a ReleaseAction."""
    return lambda cluster: cluster.act(kind, version and cluster.revision_of(version))


def both(*acts: Act) -> Act:
    """Several things at once."""

    def act(cluster: Cluster) -> None:
        for one in acts:
            one(cluster)

    return act


def wait(_: Cluster) -> None:
    """Nothing happens."""


STORIES = (
    Story(
        "a version replaces another and bakes",
        release_spec(preview=1),
        ((wait, 45), (deploy("v2"), 35)),
    ),
    Story(
        "a version fails its probe after it serves and the warm one takes over",
        release_spec(),
        ((wait, 45), (deploy("v2"), 2), (turn("v2", probe_passes=False), 10)),
    ),
    Story(
        "all Pods of a version that is good crash and a cold one takes over",
        release_spec(),
        ((wait, 45), (deploy("v2"), 60), (turn("v2", crashes=True), 30)),
    ),
    Story(
        "a version that is not signed is signed and tried again",
        release_spec(),
        (
            (both(turn("v2", signed=False), wait), 2),
            (deploy("v2"), 2),
            (turn("v2", signed=True), 2),
            (ask(ActionKind.RETRY), 6),
        ),
    ),
    Story(
        "a tested version is promoted by hand, the next one aborted",
        release_spec(promotion=Promotion.MANUAL),
        (
            (wait, 2),
            (ask(ActionKind.PROMOTE), 2),
            (deploy("v2"), 5),
            (ask(ActionKind.PROMOTE), 2),
            (deploy("v3"), 5),
            (ask(ActionKind.ABORT), 5),
        ),
    ),
    Story(
        "a rollback to a version that is scaled down stops the candidate",
        release_spec(),
        (
            (wait, 45),
            (deploy("v2"), 60),
            (both(turn("v3", start_seconds=30.0), deploy("v3")), 2),
            (ask(ActionKind.ROLLBACK, "v1"), 15),
        ),
    ),
    Story(
        "several actions are asked for at once",
        release_spec(),
        (
            (wait, 45),
            (deploy("v2"), 2),
            (both(ask(ActionKind.ROLLBACK), ask(ActionKind.RETRY), ask(ActionKind.PROMOTE)), 20),
        ),
    ),
    Story(
        "old versions are forgotten beyond the limit",
        release_spec(history=0),
        ((wait, 2), (deploy("v2"), 2), (deploy("v3"), 35), (deploy("v4"), 50)),
    ),
)


def tell(story: Story, disturb: Callable[[Operator], None], seed: int = 0) -> Operator:
    """Play a story to its end and give back the operator."""
    cluster = Cluster(story.spec)
    operator = Operator(cluster, seed, Invariants(cluster, thorough=False))
    disturb(operator)
    for act, seconds in story.acts:
        act(cluster)
        for _ in range(seconds):
            cluster.tick()
            operator.tick()
        _calm_down(operator, CALM)
    _calm_down(operator, REST)
    return operator


def _calm_down(operator: Operator, seconds: int) -> None:
    """Time to make up for faults, as long whether there were any or not."""
    faults, operator.faults = operator.faults, Faults()
    operator.resync()
    for _ in range(seconds):
        operator.cluster.tick()
        operator.tick()
    operator.faults = faults


def end(operator: Operator) -> dict[str, Any]:
    """What is left at the end, without times."""
    cluster = operator.cluster
    revisions = {}
    for stored in cluster.all("Revision"):
        status = stored.body.status
        deployment = cluster.find("Deployment", stored.name)
        revisions[cluster.version_of(stored.name)] = (
            status.phase,
            status.good_since is not None,
            status.failure and status.failure.reason,
            deployment and deployment.body.replicas,
        )
    status = cluster.get("Release", NAME).body.status
    return {
        "revisions": revisions,
        "selected": cluster.selected,
        "phase": status.phase,
        "conditions": {(item.type, item.status, item.reason) for item in status.conditions},
        "known good": status.known_good_revision,
        "revert": status.revert,
        "actions": [stored.body.status.phase for stored in cluster.all("Action")],
        "frozen": {stored.name for stored in cluster.all("Frozen")},
    }
