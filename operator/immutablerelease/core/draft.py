"""The decision while it is made: the snapshot, working copies of statuses, intents so far.

Phases read and change a draft one after another; nothing outlives it but the plan.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from immutablerelease.api.conditions import Condition, Status, find_condition, set_condition
from immutablerelease.api.objects import Revision
from immutablerelease.api.release import ReleaseSpec, ReleaseStatus
from immutablerelease.api.revision import RevisionPhase, RevisionStatus

from .plan import Event, EventType, Intent, MoveTraffic, Plan, Resolve, Verify
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


class Draft:
    """One decision in the making."""

    def __init__(self, snapshot: Snapshot, now: datetime) -> None:
        self.snapshot = snapshot
        self.now = now
        self.spec: ReleaseSpec = snapshot.release.spec
        self.status: ReleaseStatus = snapshot.release.status
        self.revisions: dict[str, RevisionStatus] = {
            name: revision.status for name, revision in snapshot.revisions.items()
        }
        # Where the traffic goes once the intents so far are applied.
        self.record: RouteRecord | None = None
        # Revision that the current spec stands for; None while that is not known.
        self.wanted: str | None = None
        self.resolve: Resolve | None = None
        self.verify: list[Verify] = []
        self.intents: list[Intent] = []
        self.events: list[Event] = []
        self._wake: list[datetime] = []

    @property
    def active(self) -> str | None:
        """The revision that serves."""
        return self.record.revision if self.record else None

    @property
    def candidate(self) -> str | None:
        """The revision on its way to serve."""
        if self.wanted is None or self.wanted == self.active:
            return None
        status = self.revisions.get(self.wanted)
        return self.wanted if status and status.phase in IN_FLIGHT else None

    def revision(self, name: str) -> Revision:
        """A recorded revision, as it was observed."""
        return self.snapshot.revisions[name]

    def deployment(self, name: str) -> DeploymentView | None:
        """The Deployment of a revision, if it exists."""
        return self.snapshot.deployments.get(name)

    def pods(self, name: str) -> tuple[PodView, ...]:
        """Pods of a revision that are not on their way out."""
        return tuple(pod for pod in self.snapshot.pods.get(name, ()) if not pod.deleting)

    def serving(self, name: str) -> tuple[PodView, ...]:
        """Pods of a revision that can take traffic."""
        return tuple(pod for pod in self.pods(name) if pod.serving)

    def verified(self, name: str) -> bool:
        """Whether its images were verified, by whichever policies held then."""
        status = self.revisions.get(name)
        return bool(status and status.verification and status.verification.verdict == "Verified")

    def change(self, name: str, **fields: Any) -> RevisionStatus:
        """Set fields of a revision's status."""
        changed = self.revisions[name].model_copy(update=fields)
        self.revisions[name] = changed
        return changed

    def change_release(self, **fields: Any) -> None:
        """Set fields of the release's status."""
        self.status = self.status.model_copy(update=fields)

    def mark(self, name: str, type_: str, status: Status, reason: str, message: str) -> None:
        """Set a condition of a revision."""
        condition = Condition(
            type=type_,
            status=status,
            reason=reason,
            message=message,
            observed_generation=self.revision(name).metadata.generation,
            last_transition_time=self.now,
        )
        conditions = set_condition(self.revisions[name].conditions, condition, now=self.now)
        self.change(name, conditions=conditions)

    def condition_since(self, name: str, type_: str, status: Status) -> datetime | None:
        """Since when a revision's condition has that status; None when it has not."""
        condition = find_condition(self.revisions[name].conditions, type_)
        if condition is None or condition.status is not status:
            return None
        return condition.last_transition_time

    def do(self, *intents: Intent) -> None:
        """Plan intents, to be applied in this order."""
        self.intents.extend(intents)

    def tell(
        self, type_: EventType, reason: str, message: str, revision: str | None = None
    ) -> None:
        """Plan an Event."""
        self.events.append(Event(type_, reason, message, revision))

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
        """Plan a move of the traffic, and go on as if it had been made."""
        self.do(MoveTraffic(record))
        self.record = record

    def flying(self) -> Iterator[str]:
        """Names of all revisions in flight."""
        return (name for name, status in self.revisions.items() if status.phase in IN_FLIGHT)

    def plan(self, tail: Iterable[Intent], probe: dict[str, Any]) -> Plan:
        """The finished plan: intents so far, then `tail`."""
        return Plan(
            intents=(*self.intents, *tail),
            events=tuple(self.events),
            resolve=self.resolve,
            verify=tuple(self.verify),
            probe=probe,
            wake_at=min(self._wake, default=None),
        )
