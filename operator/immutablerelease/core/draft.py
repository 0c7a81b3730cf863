"""The decision while it is made: the snapshot, working copies of statuses, intents so far.

Phases read and change a draft one after another; nothing outlives it but the plan.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from immutablerelease.api.base import Model
from immutablerelease.api.conditions import Condition, Status, find_condition, set_condition
from immutablerelease.api.objects import Revision
from immutablerelease.api.probe import Probe
from immutablerelease.api.release import ReleaseSpec, ReleaseStatus, ServicePort, Workload
from immutablerelease.api.revision import Failure, RevisionPhase, RevisionStatus

from . import terms
from .asked import Stage, asked
from .plan import Event, EventType, Intent, MoveTraffic, Plan, Resolve, Verify
from .shares import router
from .signals import Health
from .snapshot import DeploymentView, PodView, RouteRecord, Snapshot

# Phases of a revision that has not served yet and may still come to serve.
IN_FLIGHT = frozenset(
    {
        RevisionPhase.PENDING,
        RevisionPhase.STARTING,
        RevisionPhase.TESTING,
        RevisionPhase.SHIFTING,
    }
)
REFUSED = frozenset({RevisionPhase.FAILED, RevisionPhase.REJECTED})

# The finest time that is written; what is finer would change by being written and read again.
TICK = timedelta(milliseconds=1)
# What must wait for this plan to be applied is decided right after it.
SOON = timedelta(milliseconds=10)

LONGEST_REASON = 64
_LONGEST_MESSAGE = 2048


M = TypeVar("M", bound=Model)
# Status, reason and message of a condition.
Told = tuple[Status, str, str]


def clip(message: str, longest: int = _LONGEST_MESSAGE) -> str:
    """A message no longer than the schemas allow; a status that is refused would tell nothing."""
    return message if len(message) <= longest else f"{message[: longest - 3]}..."


class Draft:
    """One decision in the making."""

    def __init__(self, snapshot: Snapshot, now: datetime) -> None:
        self.snapshot = snapshot
        self.now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.spec: ReleaseSpec = snapshot.release.spec
        self.status: ReleaseStatus = snapshot.release.status
        self.revisions: dict[str, RevisionStatus] = {
            name: revision.status for name, revision in snapshot.revisions.items()
        }
        # Where the traffic goes once the intents so far are applied.
        self.record: RouteRecord | None = None
        # Revision that the traffic goes to though nothing is known of it any more.
        self.lost: str | None = None
        # Whether all statuses told of the last move of traffic before this decision.
        self.settled = True
        # Health of what serves; None while nothing does.
        self.health: Health | None = None
        # Revision that the current spec stands for; None while that is not known.
        self.wanted: str | None = None
        # Why the API server refuses to record the revision of the current spec, if it does.
        self.unrecorded: str | None = None
        # Whether the next decision, which follows at once, tells more of the release than this.
        self.followed = False
        self.resolve: Resolve | None = None
        self.verify: list[Verify] = []
        self.intents: list[Intent] = []
        # Applied after the statuses, so that their failing hides nothing.
        self.later: list[Intent] = []
        # Applied after the statuses too: an answer is given once its effect is recorded.
        self.answers: list[Intent] = []
        self.events: list[Event] = []
        self._wake: list[datetime] = []

    @property
    def active(self) -> str | None:
        """The revision that serves."""
        return self.record.revision if self.record else None

    @property
    def leaving(self) -> str | None:
        """The revision that a revert would leave."""
        return self.active or self.lost

    @property
    def candidate(self) -> str | None:
        """The revision on its way to serve."""
        if self.wanted is None or self.wanted == self.active:
            return None
        status = self.revisions.get(self.wanted)
        return self.wanted if status and status.phase in IN_FLIGHT else None

    @property
    def moved(self) -> bool:
        """Whether this plan moves traffic; one move a plan, so that each sees what it did."""
        return any(isinstance(intent, MoveTraffic) for intent in self.intents)

    @property
    def route_taken(self) -> bool:
        """Whether somebody else's object stands where the route of the release should."""
        name, taken = self.snapshot.release.metadata.name, self.snapshot.conflicts
        if f"Service/{name}" in taken:
            return True
        asked = router(self.snapshot.release)
        return asked is not None and f"{asked}/{name}" in taken

    def revision(self, name: str) -> Revision:
        """A recorded revision, as it was observed."""
        return self.snapshot.revisions[name]

    def deployment(self, name: str) -> DeploymentView | None:
        """The Deployment or DaemonSet of a revision, if it exists."""
        return self.snapshot.deployments.get(name)

    def replicas(self, name: str) -> int:
        """Pods that a revision has at full size: those that the release asks for, or one a node.

        Revisions may be for different nodes. For how many is known once the controller of its
        DaemonSet has looked; until then it is taken to be for as many as any other.
        """
        if self.spec.workload is Workload.DEPLOYMENT:
            return self.spec.replicas
        seen = {view.revision: view.nodes or 0 for view in self._daemon_sets() if view.observed}
        return max(1, seen[name] if name in seen else max(seen.values(), default=1))

    def idle(self, name: str) -> bool:
        """Whether no Pod is wanted: the release is scaled to zero, or no node is to have one."""
        return self.nowhere(name) or self.replicas(name) == 0

    def nowhere(self, name: str) -> bool:
        """Whether the controller of its DaemonSet has found no node that is to have a Pod."""
        view = self.deployment(name)
        return view is not None and view.observed and view.nodes == 0

    def _daemon_sets(self) -> Iterator[DeploymentView]:
        return (view for view in self.snapshot.deployments.values() if view.nodes is not None)

    def pods(self, name: str) -> tuple[PodView, ...]:
        """Pods of a revision that are not on their way out."""
        return tuple(pod for pod in self.snapshot.pods.get(name, ()) if not pod.deleting)

    def serving(self, name: str) -> tuple[PodView, ...]:
        """Pods of a revision that can take traffic."""
        return tuple(pod for pod in self.pods(name) if pod.serving)

    def ports(self, name: str) -> tuple[ServicePort, ...]:
        """Ports of the Services while they lead to a revision."""
        return self.spec.service.ports if name == self.wanted else terms.ports(self.snapshot, name)

    def named_probes(self, name: str) -> tuple[Probe, ...]:
        """All probes of a revision, as its manifest names them."""
        return self.spec.health.probes if name == self.wanted else terms.probes(self.snapshot, name)

    def probes(self, name: str) -> tuple[Probe, ...]:
        """Probes that a revision is asked where it stands."""
        return asked(self.named_probes(name), self._stage(name), self.against(name))

    def against(self, name: str) -> str | None:
        """What a revision is compared with: what serves, as long as that is another one."""
        return self.active if name != self.active else None

    def _stage(self, name: str) -> Stage:
        record = self.record
        if record and (name == record.revision or (name == record.candidate and record.weight > 0)):
            return Stage.SERVING
        return Stage.CANDIDATE if self.revisions[name].phase in IN_FLIGHT else Stage.STANDBY

    def verified(self, name: str) -> bool:
        """Whether its images were verified when it was admitted, by whichever policies held then.

        What its Pods and the record of the route are judged by, also when it is refused since.
        """
        status = self.revisions.get(name)
        return bool(status and status.verification and status.verification.verdict == "Verified")

    def trusted(self, name: str) -> bool:
        """Whether it was verified and no later verification refused it: traffic may go to it."""
        return self.verified(name) and self.revisions[name].refusal is None

    def change(self, name: str, **fields: Any) -> RevisionStatus:
        """Set fields of a revision's status."""
        if "message" in fields:
            fields["message"] = clip(fields["message"])
        changed = self.revisions[name] = _updated(self.revisions[name], fields)
        return changed

    def change_release(self, **fields: Any) -> None:
        """Set fields of the release's status."""
        self.status = _updated(self.status, fields)

    def mark(self, name: str, type_: str, status: Status, reason: str, message: str) -> None:
        """Set a condition of a revision."""
        generation = self.revision(name).metadata.generation
        known = self.revisions[name].conditions
        conditions = self.told(known, type_, (status, reason, message), generation)
        self.change(name, conditions=conditions)

    def told(
        self, known: tuple[Condition, ...], type_: str, told: Told, generation: int
    ) -> tuple[Condition, ...]:
        """The conditions with one of them set; it turns now, if it does."""
        status, reason, message = told
        present = find_condition(known, type_)
        # Most are told again and again; one that is not made anew costs nothing.
        if present is not None and (*told, generation) == (
            present.status,
            present.reason,
            present.message,
            present.observed_generation,
        ):
            return known
        condition = self.condition(type_, status, reason, message, generation)
        return set_condition(known, condition, now=self.now)

    def condition(
        self, type_: str, status: Status, reason: str, message: str, generation: int
    ) -> Condition:
        """A condition that turns now."""
        return Condition(
            type=type_,
            status=status,
            reason=clip(reason, LONGEST_REASON),
            message=clip(message),
            observed_generation=generation,
            last_transition_time=self.now,
        )

    def failure(self, reason: str, message: str, at: datetime | None = None) -> Failure:
        """Why a revision is not to be used again."""
        return Failure(
            reason=clip(reason, LONGEST_REASON), message=clip(message), time=at or self.now
        )

    def condition_since(self, name: str, type_: str, status: Status) -> datetime | None:
        """Since when a revision's condition has that status; None when it has not."""
        condition = find_condition(self.revisions[name].conditions, type_)
        if condition is None or condition.status is not status:
            return None
        return condition.last_transition_time

    def do(self, *intents: Intent) -> None:
        """Plan intents, to be applied in this order."""
        self.intents.extend(intents)

    def do_later(self, *intents: Intent) -> None:
        """Plan intents that can wait for the statuses to be written."""
        self.later.extend(intents)

    def tell(
        self, type_: EventType, reason: str, message: str, revision: str | None = None
    ) -> None:
        """Plan an Event."""
        self.events.append(Event(type_, reason, clip(message), revision))

    def wake(self, at: datetime) -> None:
        """Decide again at that time, at the latest."""
        if at > self.now:
            self._wake.append(at)

    def elapsed(self, since: datetime, seconds: float) -> bool:
        """Whether that many seconds have passed; if not, plan to wake when they have."""
        due = since + timedelta(seconds=seconds)
        if self.now >= due:
            return True
        self.wake(due)
        return False

    def move(self, record: RouteRecord) -> None:
        """Plan a move of the traffic before all else, and go on as if it had been made.

        A later record always has the later time, also when the clock was set back: that is how a
        stale record is told from the newest one.
        """
        before = self.record
        if before is not None and record != before and record.at <= before.at:
            record = replace(record, at=before.at + TICK)
        record = replace(record, message=clip(record.message))
        self.intents.insert(0, MoveTraffic(record))
        self.record = record
        shared = before.candidate if before is not None and before.weight > 0 else None
        if shared in self.revisions and shared not in (record.revision, record.candidate):
            # Whatever the reason, requests under way outlive its share.
            self.change(shared, left_at=record.at)

    def flying(self) -> Iterator[str]:
        """Names of all revisions in flight."""
        return (name for name, status in self.revisions.items() if status.phase in IN_FLIGHT)

    def plan(self, statuses: Iterable[Intent], probe: dict[str, Any]) -> Plan:
        """The finished plan: what must come first, the statuses, the answers, what can wait."""
        return Plan(
            intents=(*self.intents, *statuses, *self.answers, *self.later),
            events=tuple(self.events),
            resolve=self.resolve,
            verify=tuple(self.verify),
            probe=probe,
            against=self.active,
            wake_at=min(self._wake, default=None),
        )


def _updated(known: M, fields: Mapping[str, Any]) -> M:
    """The status with these fields; the very same one where they are what they were."""
    if all(getattr(known, field) == value for field, value in fields.items()):
        return known
    return known.model_copy(update=fields)
