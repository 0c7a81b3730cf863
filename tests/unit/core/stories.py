"""Stories of releases: what people and applications do, one thing after another, with time between.

Each is told to the simulated cluster once undisturbed and again with everything going wrong; the
end must be the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from immutablerelease.api.action import ActionKind
from immutablerelease.api.release import ReleaseSpec
from immutablerelease.core.plan import Intent

from .cluster import Cluster
from .invariants import Invariants
from .objects import NAME
from .simulator import Faults, Operator
from .stage import release_spec

# Longer than it takes to start, test and promote, shorter than to bake.
CALM = 12
# Longer than anything that is waited for after the last act.
REST = 80

Act = Callable[[Operator], object]


@dataclass(frozen=True, eq=False)
class Story:
    """A release, and what happens to it; each act is followed by so many seconds."""

    name: str
    spec: ReleaseSpec
    acts: tuple[tuple[Act, int], ...]


def deploy(version: str) -> Act:
    """Somebody commits a version."""
    return lambda operator: operator.cluster.deploy(version)


def turn(version: str, **how: Any) -> Act:
    """A version begins to behave in some way."""

    def act(operator: Operator) -> None:
        for name, value in how.items():
            setattr(operator.cluster.of_version(version), name, value)

    return act


def ask(kind: ActionKind, version: str | None = None) -> Act:
    """Somebody creates a ReleaseAction."""
    return lambda operator: operator.cluster.act(
        kind, version and operator.cluster.revision_of(version)
    )


def both(*acts: Act) -> Act:
    """Several things at once."""

    def act(operator: Operator) -> None:
        for one in acts:
            one(operator)

    return act


def wait(_: Operator) -> None:
    """Nothing happens."""


def registry(up: bool) -> Act:
    """The registry goes down or comes back."""
    return lambda operator: setattr(operator.cluster, "registry_up", up)


def dependency(up: bool) -> Act:
    """What all versions depend on goes down or comes back."""
    return lambda operator: setattr(
        operator.cluster, "dependency_down_since", None if up else operator.cluster.now
    )


def prometheus(up: bool) -> Act:
    """Prometheus goes down or comes back."""
    return lambda operator: setattr(operator.cluster, "prometheus_up", up)


def new_policies() -> Act:
    """Other policies hold from now on."""
    return lambda operator: operator.cluster.change_policy()


def distrust(*versions: str, revert: bool = False) -> Act:
    """Policies change: nobody trusts these versions any more."""
    return lambda operator: operator.cluster.change_policy(*versions, revert=revert)


def verified_every(seconds: float, *, revert: bool = False) -> Act:
    """Policies change: verdicts stand for so long."""

    def act(operator: Operator) -> None:
        operator.cluster.reverify_every = seconds
        operator.cluster.change_policy(revert=revert)

    return act


def verdicts_stand() -> Act:
    """Verdicts from now on stand for good."""
    return lambda operator: setattr(operator.cluster, "reverify_every", None)


def unreadable(*versions: str) -> Act:
    """Signatures of these versions cannot be read, of all others they can."""
    return lambda operator: setattr(operator.cluster, "unreachable", set(versions))


def stuck_endpoints(stuck: bool) -> Act:
    """Endpoints are not brought up to date."""
    return lambda operator: setattr(operator.cluster, "endpoints_stuck", stuck)


def late_gateway(late: bool) -> Act:
    """The data plane of the gateway takes nothing up, or does again."""
    return lambda operator: setattr(operator.cluster.edge, "stuck", late)


def late_once_recorded(version: str, weight: int) -> Act:
    """The data plane takes nothing up from when a version is to get so much of the traffic."""

    def act(operator: Operator) -> None:
        cluster = operator.cluster
        for _ in range(60):
            passing(1)(operator)
            record, name = cluster.record, cluster.revision_of(version)
            if record is None or name is None:
                continue
            share = 100 if record.revision == name else record.weight
            if name in (record.revision, record.candidate) and share == weight:
                cluster.edge.stuck = True
                return

    return act


def shared(version: str, weight: int) -> Act:
    """Time until a version has so much of the traffic, and that is in effect."""

    def act(operator: Operator) -> None:
        cluster = operator.cluster
        for _ in range(60):
            passing(1)(operator)
            record, name = cluster.record, cluster.revision_of(version)
            given = record is not None and (record.candidate, record.weight) == (name, weight)
            if name is not None and given and cluster.status(name).step_at is not None:
                return
        raise AssertionError(f"{version} never got {weight} %")

    return act


def sized(replicas: int) -> Act:
    """Somebody scales the release."""
    return lambda operator: operator.cluster.change(replicas=replicas)


def by_gateway(*, asked: bool) -> Act:
    """Somebody puts a gateway into the manifest, or takes it out."""
    traffic = release_spec(gateway=asked).traffic
    return lambda operator: operator.cluster.change(traffic=traffic)


def without_router() -> Act:
    """Somebody takes the router out of the manifest, whichever it is."""
    return by_gateway(asked=False)


def weights_changed() -> Act:
    """Somebody makes the HTTPRoute send all requests to nothing."""
    return lambda operator: operator.cluster.tamper_weights(None)


def http_route_deleted() -> Act:
    """Somebody deletes the HTTPRoute."""
    return lambda operator: operator.cluster.delete("HTTPRoute", NAME)


def forge_record(version: str) -> Act:
    """Somebody forges the record of the route."""
    return lambda operator: operator.cluster.tamper_record(
        operator.cluster.revision_of(version) or ""
    )


def pointed_at(version: str | None) -> Act:
    """Somebody changes the selector of the Service."""
    return lambda operator: operator.cluster.tamper_selector(
        version and operator.cluster.revision_of(version)
    )


def passing(seconds: int) -> Act:
    """Time between acts that belong together."""

    def act(operator: Operator) -> None:
        for _ in range(seconds):
            operator.cluster.tick()
            operator.tick()

    return act


def unseen(act: Act) -> Act:
    """Something that no watch event tells of."""

    def unseen_act(operator: Operator) -> None:
        faults, operator.faults = operator.faults, Faults(lose=1.0)
        act(operator)
        operator.faults = faults

    return unseen_act


def evict(version: str) -> Act:
    """All Pods of a version are deleted."""

    def act(operator: Operator) -> None:
        revision = operator.cluster.revision_of(version)
        for pod in operator.cluster.all("Pod"):
            if pod.body.revision == revision:
                operator.cluster.terminate(pod)

    return act


def unanswered(kind: type[Intent]) -> Act:
    """Time until the next write of a kind; it takes effect, and neither answer nor event tells."""

    def act(operator: Operator) -> None:
        operator.unanswered = kind
        for _ in range(30):
            passing(1)(operator)
            if operator.unanswered is None:
                return
        raise AssertionError(f"no {kind.__name__} was written")

    return act


def tell(story: Story, disturb: Act = wait, *, seed: int = 0, thorough: bool = False) -> Operator:
    """Play a story to its end and give back the operator."""
    cluster = Cluster(story.spec)
    operator = Operator(cluster, seed, Invariants(cluster, thorough=thorough))
    disturb(operator)
    for act, seconds in story.acts:
        act(operator)
        passing(seconds)(operator)
        _calm_down(operator, CALM)
    _calm_down(operator, REST)
    return operator


def _calm_down(operator: Operator, seconds: int) -> None:
    """Time to make up for faults, as long whether there were any or not."""
    faults, operator.faults = operator.faults, Faults()
    operator.resync()
    passing(seconds)(operator)
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
        "agreed": cluster.service is not None and cluster.service.record == cluster.record,
        "proxies": [body.receivers for body in cluster.edge.programmed()],
        "phase": status.phase,
        "conditions": {(item.type, item.status, item.reason) for item in status.conditions},
        "known good": status.known_good_revision,
        "revert": status.revert,
        "actions": [stored.body.status.phase for stored in cluster.all("Action")],
        "frozen": {stored.name for stored in cluster.all("Frozen")},
    }
