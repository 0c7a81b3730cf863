"""Builders of snapshots: each has a whole, healthy default, so that a case shows what differs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from immutablerelease.api.action import ActionKind, ActionSpec, ActionStatus
from immutablerelease.api.conditions import Condition, Status
from immutablerelease.api.objects import Action, Metadata, Release, Revision
from immutablerelease.api.release import ReleaseSpec, ReleaseStatus, Source
from immutablerelease.api.revision import (
    FrozenConfig,
    ResolvedImage,
    RevisionPhase,
    RevisionSpec,
    RevisionStatus,
    Verification,
)
from immutablerelease.core.decide import decide
from immutablerelease.core.plan import (
    MoveTraffic,
    Plan,
    WriteActionStatus,
    WriteReleaseStatus,
    WriteRevisionStatus,
)
from immutablerelease.core.probing import Outcome, ProbeState
from immutablerelease.core.snapshot import (
    ContainerView,
    DeploymentView,
    PodView,
    Route,
    RouteRecord,
    Snapshot,
)

from .stage import release_spec

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICIES = "policies"
TEMPLATE_HASH = "template"
LONG_AGO = 3600.0

T = TypeVar("T")


def ago(seconds: float) -> datetime:
    """A time before now."""
    return NOW - timedelta(seconds=seconds)


def release(
    *,
    wants: str | None = "new",
    revert: Any = None,
    conditions: Sequence[Condition] = (),
    generation: int = 5,
    **spec: Any,
) -> Release:
    """A release whose spec stands for a revision."""
    made: ReleaseSpec = release_spec(**{k: v for k, v in spec.items() if k in _STAGED})
    made = made.model_copy(update={k: v for k, v in spec.items() if k not in _STAGED})
    source = Source(generation=generation, template_hash=TEMPLATE_HASH, revision=wants or "")
    return Release(
        Metadata("shop", "default", "uid-shop", generation, ago(LONG_AGO), deleting=False),
        made,
        ReleaseStatus(
            source=source if wants else None, revert=revert, conditions=tuple(conditions)
        ),
    )


_STAGED = ("replicas", "promotion", "preview", "probed", "history", "keep_warm")


def revision(
    name: str,
    phase: RevisionPhase = RevisionPhase.ACTIVE,
    *,
    number: int = 1,
    verdict: str | None = "Verified",
    policies: str = POLICIES,
    healthy: bool | None = None,
    config: Sequence[FrozenConfig] = (),
    **status: Any,
) -> Revision:
    """A revision that was verified."""
    image = f"registry/shop@sha256:{'0' * 64}"
    verification = Verification.model_validate(
        {
            "verdict": verdict or "Unknown",
            "reason": "r",
            "message": "m",
            "policies": policies,
            "time": NOW,
        }
    )
    conditions = () if healthy is None else (health(healthy),)
    return Revision(
        Metadata(name, "default", f"uid-{name}", 1, ago(LONG_AGO), deleting=False),
        RevisionSpec(
            release="shop",
            number=number,
            generation=number,
            template_hash=f"template of {name}",
            template={"spec": {}},
            images=(ResolvedImage(container="app", source="shop:1", image=image),),
            config=tuple(config),
        ),
        RevisionStatus(
            phase=phase,
            verification=verification if verdict else None,
            conditions=conditions,
            **status,
        ),
    )


def health(healthy: bool, since: float = LONG_AGO) -> Condition:
    """A condition Healthy."""
    status = Status.TRUE if healthy else Status.FALSE
    return Condition(
        type="Healthy", status=status, reason="r", message="m", last_transition_time=ago(since)
    )


def pod(
    name: str = "a",
    *,
    ready: bool = True,
    deleting: bool = False,
    restarts: int = 0,
    waiting: str = "",
    terminated: str = "",
    ready_since: float = LONG_AGO,
) -> PodView:
    """A Pod that serves."""
    container = ContainerView("app", restarts, waiting, terminated)
    return PodView(name, name, "10.0.0.1", ready, deleting, ago(ready_since), (container,))


def passing(*, last: float = 0.5, successes: int = 100) -> ProbeState:
    """A probe that passes."""
    return ProbeState(Outcome.PASSING, successes=successes, message="200", last_at=ago(last))


def failing(*, since: float = 3.0, last: float = 0.2, failures: int = 3) -> ProbeState:
    """A probe that fails."""
    return ProbeState(
        Outcome.FAILING,
        failures=failures,
        message="500",
        last_at=ago(last),
        failing_since=ago(since),
    )


def answering_badly(*, failures: int = 1) -> ProbeState:
    """A probe that passed and whose newest attempts failed."""
    return ProbeState(Outcome.PASSING, failures=failures, message="500", last_at=ago(0.2))


def pods(
    revision: str, count: int = 2, state: ProbeState | None = None, **how: Any
) -> tuple[tuple[PodView, ...], dict[str, dict[str, ProbeState]]]:
    """Pods of a revision, and what is known of their probe."""
    made = tuple(pod(f"{revision}-{index}", **how) for index in range(count))
    known = {one.uid: {"api": state} for one in made if state is not None}
    return made, known


def action(
    kind: ActionKind,
    *,
    name: str = "ask",
    revision: str | None = None,
    created: float = 1.0,
    status: ActionStatus | None = None,
) -> Action:
    """A ReleaseAction."""
    spec = ActionSpec(release="shop", action=kind, revision=revision, reason="because")
    metadata = Metadata(name, "default", f"uid-{name}", 1, ago(created), deleting=False)
    return Action(metadata, spec, status or ActionStatus())


def record(
    revision: str, reason: str = "Promoted", *, at: float = 60.0, **more: Any
) -> RouteRecord:
    """A record of the route."""
    return RouteRecord(revision, reason, "m", ago(at), **more)


def snapshot(
    of: Release,
    *revisions: Revision,
    serves: str | None = "old",
    route: Route | None = None,
    running: Mapping[str, tuple[tuple[PodView, ...], dict[str, dict[str, ProbeState]]]]
    | None = None,
    replicas: Mapping[str, int] | None = None,
    **more: Any,
) -> Snapshot:
    """A snapshot in which each revision that runs has its Deployment and Service."""
    running = running or {}
    sizes = {name: len(made) for name, (made, _) in running.items()} | dict(replicas or {})
    return Snapshot(
        **{
            "release": of,
            "template_hash": TEMPLATE_HASH,
            "revisions": {one.metadata.name: _with_terms(one, of) for one in revisions},
            "deployments": {
                name: DeploymentView(name, size, observed=True, available=size, intact=True)
                for name, size in sizes.items()
            },
            "pods": {name: made for name, (made, _) in running.items()},
            "probes": {name: known for name, (_, known) in running.items()},
            "route": _with_ports(route, of) if route else _route(serves, of),
            "services": frozenset(sizes),
            "budgets": dict.fromkeys(sizes, of.spec.disruption.max_unavailable),
            "policies": POLICIES,
            **more,
        }
    )


def _with_terms(one: Revision, of: Release) -> Revision:
    """A revision whose manifest named the ports and probes of the present one."""
    if one.status.ports:
        return one
    fields = {"ports": of.spec.service.ports, "probes": of.spec.health.probes}
    return replace(one, status=one.status.model_copy(update=fields))


def _with_ports(route: Route, of: Release) -> Route:
    return route if route.ports else replace(route, ports=of.spec.service.ports)


def _route(serves: str | None, of: Release) -> Route:
    return _with_ports(Route(record(serves), serves), of) if serves else Route(None, None)


# --- reading plans ------------------------------------------------------------------------------


def plan(of: Snapshot) -> Plan:
    """What is decided now."""
    return decide(of, NOW)


def intents(of: Plan, kind: type[T]) -> list[T]:
    """Intents of a kind."""
    return [intent for intent in of.intents if isinstance(intent, kind)]


def moved_to(of: Plan) -> str | None:
    """Where the plan moves the traffic."""
    moves = intents(of, MoveTraffic)
    return moves[0].record.revision if moves else None


def status_of(of: Plan, name: str, before: Snapshot) -> RevisionStatus:
    """A revision's status once the plan is applied."""
    written = {intent.name: intent.status for intent in intents(of, WriteRevisionStatus)}
    return written.get(name, before.revisions[name].status)


def release_status(of: Plan) -> ReleaseStatus:
    """The release's status that the plan writes."""
    return intents(of, WriteReleaseStatus)[0].status


def answer(of: Plan, name: str = "ask") -> ActionStatus | None:
    """The answer that the plan gives to an action."""
    answers = {intent.name: intent.status for intent in intents(of, WriteActionStatus)}
    return answers.get(name)
