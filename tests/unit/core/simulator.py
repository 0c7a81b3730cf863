"""The operator in a simulated cluster: a cache that lags and the real `decide`.

Between any two writes it can be killed. Watch events get lost until the next resync, come late,
twice and in the wrong order; the API server refuses, or accepts and its answer gets lost.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from immutablerelease.api.objects import Action, Metadata, Release, Revision
from immutablerelease.api.probe import Probe
from immutablerelease.core import terms
from immutablerelease.core.decide import decide
from immutablerelease.core.identity import content_hash
from immutablerelease.core.plan import (
    Intent,
    Plan,
    Resolve,
    Verify,
)
from immutablerelease.core.probing import WHOLE, Attempt, ProbeState, count
from immutablerelease.core.shares import by_weight
from immutablerelease.core.snapshot import (
    DeploymentView,
    PodView,
    Resolution,
    Route,
    RouterView,
    Snapshot,
    Unresolved,
    VerdictView,
)
from immutablerelease.traffic.service import newest

from .cluster import START, Cluster
from .objects import NAME, Change, DeploymentBody, HttpRouteBody, ServiceBody, Stored
from .writer import Failed, Writer, backend_ports

RESYNC = 30.0
RETRY = 1.0


@dataclass
class Faults:
    """How likely what goes wrong is, from 0 to 1."""

    lose: float = 0.0
    delay: float = 0.0
    repeat: float = 0.0
    fail: float = 0.0
    lose_answer: float = 0.0
    crash: float = 0.0


class Watcher(Protocol):
    """Checks what the operator decides and does, before it takes effect."""

    def planned(self, snapshot: Snapshot, plan: Plan, now: datetime) -> None:
        """A plan was made."""

    def applies(self, snapshot: Snapshot, intent: Intent) -> None:
        """An intent is about to be written."""

    def ticked(self) -> None:
        """A moment passed."""


class Killed(Exception):
    """The operator was killed."""


class Operator:
    """One operator with one release."""

    def __init__(self, cluster: Cluster, seed: int = 0, watcher: Watcher | None = None) -> None:
        self.cluster = cluster
        self.faults = Faults()
        self.random = random.Random(seed)  # noqa: S311 - faults are no secrets
        self.watcher = watcher
        self.decide: Callable[[Snapshot, datetime], Plan] = decide
        self.live_read = True
        # How far the operator's clock is off.
        self.skew = timedelta(0)
        # Writes so far, and the one before which the operator is killed.
        self.writes = 0
        self.kill_before: int | None = None
        # The write of which only the first half takes effect.
        self.kill_between: int | None = None
        # The next write of this kind takes effect, and neither answer nor event tells of it.
        self.unanswered: type[Intent] | None = None
        self.events: list[str] = []
        # The newest writes and when, for a person to read when something is wrong.
        self.history: deque[tuple[float, str, Intent]] = deque(maxlen=25)
        self.unproductive = 0
        cluster.listen(self._hear)
        self._start()

    def _start(self) -> None:
        """A new process: it knows nothing but what it lists."""
        self.store: dict[tuple[str, str], Stored] = {}
        self.buried: set[str] = set()
        self.inbox: list[tuple[datetime, Change]] = []
        self.probes: dict[str, dict[str, dict[str, ProbeState]]] = {}
        self.resolution: Resolution | Unresolved | None = None
        self.verdicts: dict[Verify, VerdictView] = {}
        self.refusals: dict[str, str] = {}
        self.view = RouterView()
        self.plan = Plan()
        self.due: datetime | None = self.cluster.now
        self.working: dict[Resolve | Verify, datetime] = {}
        self.resync()

    def restart(self) -> None:
        """Kill the operator and start it again."""
        self._start()

    # --- the cache ------------------------------------------------------------------------------

    def resync(self) -> None:
        """List everything: what was lost is found, what is gone is dropped."""
        self.next_resync = self.cluster.now + timedelta(seconds=RESYNC)
        live = {(stored.kind, stored.name): stored for stored in self.cluster.everything()}
        for key in self.store.keys() - live.keys():
            self.buried.add(self.store.pop(key).uid)
            self._wake_by(self.cluster.now)
        for stored in live.values():
            self.put(stored)

    def _hear(self, change: Change) -> None:
        if self.random.random() < self.faults.lose:
            return
        for _ in range(2 if self.random.random() < self.faults.repeat else 1):
            late = self.random.uniform(0, 8) if self.random.random() < self.faults.delay else 0.0
            self.inbox.append((self.cluster.now + timedelta(seconds=late), change))

    def _deliver(self) -> None:
        now = self.cluster.now
        ready = [change for at, change in self.inbox if at <= now]
        self.inbox = [(at, change) for at, change in self.inbox if at > now]
        if self.faults.delay:
            self.random.shuffle(ready)
        for change in ready:
            if change.deleted:
                self.remove(change.stored)
            else:
                self.put(change.stored)

    def put(self, stored: Stored) -> None:
        """Keep an object if it is news."""
        known = self.store.get((stored.kind, stored.name))
        if stored.uid in self.buried or (known and known.version >= stored.version):
            return
        self.store[stored.kind, stored.name] = stored
        self._wake_by(self.cluster.now)

    def remove(self, stored: Stored) -> None:
        """Forget an object for good."""
        self.buried.add(stored.uid)
        known = self.store.get((stored.kind, stored.name))
        if known and known.uid == stored.uid:
            del self.store[stored.kind, stored.name]
            self._wake_by(self.cluster.now)

    def _wake_by(self, at: datetime) -> None:
        self.due = at if self.due is None else min(at, self.due)

    # --- one reconcile --------------------------------------------------------------------------

    def tick(self) -> None:
        """All that the operator does at this moment."""
        if self.cluster.now >= self.next_resync:
            self.resync()
        self._deliver()
        self._work()
        self._probe()
        self._prove()
        rounds = 0
        while self.due is not None and self.due <= self.cluster.now and rounds < 25:
            rounds += 1
            self.reconcile()
        self.unproductive = self.unproductive + 1 if rounds == 25 else 0
        if self.watcher is not None:
            self.watcher.ticked()

    def reconcile(self) -> None:
        """Observe, decide, apply."""
        self.due = None
        now = self.cluster.now + self.skew
        snapshot = self.snapshot()
        if snapshot is None:
            return
        plan = self.decide(snapshot, now)
        if self.watcher is not None:
            self.watcher.planned(snapshot, plan, now)
        self.plan = plan
        self._match_work(plan)
        try:
            for intent in plan.intents:
                self._carry_out(snapshot, intent)
        except Killed:
            self.restart()
            return
        except Failed:
            self._wake_by(self.cluster.now + timedelta(seconds=RETRY))
            return
        self.events += [event.reason for event in plan.events]
        if snapshot.refusals:
            self.refusals.clear()
        if plan.intents:
            self._wake_by(self.cluster.now)
        elif plan.wake_at is not None:
            self._wake_by(plan.wake_at - self.skew)

    def _carry_out(self, snapshot: Snapshot, intent: Intent) -> None:
        if self.kill_before == self.writes or self.random.random() < self.faults.crash:
            self.kill_before = None
            raise Killed
        if self.random.random() < self.faults.fail:
            raise Failed("the API server is busy")
        try:
            written = Writer(self, snapshot).write(intent)
        except Failed as failure:
            self._remember(str(failure), intent)
            raise
        self.writes += 1
        silent = type(intent) is self.unanswered
        if silent:
            self.unanswered = None
            self.inbox.clear()
        if silent or self.random.random() < self.faults.lose_answer:
            self._remember("the answer got lost", intent)
            raise Failed("the answer got lost")
        self._remember("", intent)
        for stored in written:
            self.put(stored)

    def between(self) -> None:
        """A point between two writes of one intent: the operator may be killed here too."""
        if self.kill_between == self.writes or self.random.random() < self.faults.crash:
            self.kill_between = None
            raise Killed

    def _remember(self, result: str, intent: Intent) -> None:
        self.history.append(((self.cluster.now - START).total_seconds(), result, intent))

    def story(self) -> str:
        """The newest writes, one a line."""
        return "\n".join(
            f"{seconds:6.1f} s  {intent} {result}" for seconds, result, intent in self.history
        )

    # --- background work ------------------------------------------------------------------------

    def _match_work(self, plan: Plan) -> None:
        wanted: set[Resolve | Verify] = {*plan.verify, *([plan.resolve] if plan.resolve else [])}
        self.working = {
            job: self.working.get(job, self.cluster.now + timedelta(seconds=1)) for job in wanted
        }
        if plan.resolve is None:
            self.resolution = None
        self.verdicts = {job: view for job, view in self.verdicts.items() if job in wanted}

    def _work(self) -> None:
        for job, at in list(self.working.items()):
            if at > self.cluster.now:
                continue
            self.working[job] = self.cluster.now + timedelta(seconds=5)
            if isinstance(job, Resolve):
                known = self.resolution
                done = isinstance(known, Resolution) and known.template_hash == job.template_hash
                if not done:
                    self.resolution = self.cluster.resolve()
                    self._wake_by(self.cluster.now)
            elif job not in self.verdicts or self.verdicts[job].verdict == "Unknown":
                if self.cluster.find("Revision", job.revision) is None:
                    continue
                self.verdicts[job] = self.cluster.verify(job.revision, job.policies)
                self._wake_by(self.cluster.now)

    def _asked(self, snapshot: Snapshot) -> RouterView:
        http = self.store.get(("HTTPRoute", NAME))
        body: HttpRouteBody | None = http.body if http else None
        wanted = backend_ports(snapshot, body.record) if body else ()
        return self.cluster.edge.view(body, wanted)

    def _prove(self) -> None:
        """Whoever asks for the proof tells of it when it comes."""
        http = self.store.get(("HTTPRoute", NAME))
        body: HttpRouteBody | None = http.body if http else None
        view = self.cluster.edge.view(body, body.ports if body else ())
        if view != self.view:
            self.view = view
            self._wake_by(self.cluster.now)

    def _probe(self) -> None:
        kept: dict[str, dict[str, dict[str, ProbeState]]] = {}
        for revision, probes in self.plan.probe.items():
            for pod in self._pods().get(revision, ()):
                if pod.ip is None or pod.deleting:
                    continue
                asked = [probe for probe in probes if not probe.whole]
                kept.setdefault(revision, {})[pod.uid] = {
                    probe.name: self._ask(revision, pod.uid, probe) for probe in asked
                }
            whole = [probe for probe in probes if probe.whole]
            kept.setdefault(revision, {})[WHOLE] = {
                probe.name: self._ask(revision, WHOLE, probe) for probe in whole
            }
        self.probes = kept

    def _ask(self, revision: str, uid: str, probe: Probe) -> ProbeState:
        known = self.probes.get(revision, {}).get(uid, {})
        before = known.get(probe.name, ProbeState())
        now = self.cluster.now
        if before.last_at and now - before.last_at < timedelta(seconds=probe.interval):
            return before
        ok = self.cluster.measures(revision) if uid == WHOLE else self.cluster.answers(uid)
        state = count(before, Attempt(ok, f"{ok}", now), probe)
        # Only the verdict is told of, which is the least that the real prober promises.
        if state.outcome is not before.outcome:
            self._wake_by(now)
        return state

    # --- observing ------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot | None:
        """What the operator knows."""
        release = self.store.get(("Release", NAME))
        if release is None:
            return None
        deployments, services = self._of("Deployment"), self._of("RevisionService")
        revisions = {stored.name: _revision(stored) for stored in self._of("Revision")}
        snapshot = Snapshot(
            release=Release(_metadata(release), release.body.spec, release.body.status),
            template_hash=content_hash({"template": release.body.spec.template}),
            revisions=revisions,
            deployments={stored.name: _deployment(stored) for stored in deployments},
            pods=self._pods(),
            probes=self.probes,
            services=frozenset(stored.name for stored in services),
            budgets={stored.name: stored.body for stored in self._of("Budget")},
            actions=self._actions(),
            policies=self.cluster.policies,
            resolution=self.resolution,
            verdicts={job.revision: view for job, view in self.verdicts.items()},
            refusals=dict(self.refusals),
            frozen=frozenset(f"ConfigMap/{stored.name}" for stored in self._of("Frozen")),
        )
        outdated = frozenset(
            stored.name
            for stored in services
            if stored.name in revisions and stored.body != terms.ports(snapshot, stored.name)
        )
        return replace(snapshot, route=self._route(snapshot), outdated=outdated)

    def _of(self, kind: str) -> list[Stored]:
        return [stored for stored in self.store.values() if stored.kind == kind]

    def _pods(self) -> dict[str, tuple[PodView, ...]]:
        pods: dict[str, tuple[PodView, ...]] = {}
        for stored in sorted(self._of("Pod"), key=lambda item: item.name):
            revision = stored.body.revision
            pods[revision] = (*pods.get(revision, ()), stored.body.view)
        return pods

    def _route(self, snapshot: Snapshot) -> Route:
        service, http = self.store.get(("Service", NAME)), self.store.get(("HTTPRoute", NAME))
        asked, router = by_weight(snapshot.release), RouterView()
        if asked:
            router = self._asked(snapshot)
        told = http.body.record if http else None
        if service is None:
            return Route(told, None, router=router)
        body: ServiceBody = service.body
        endpoints = self.store.get(("Endpoints", NAME))
        names = endpoints.body if endpoints else frozenset()
        record = newest(body.record, told)
        return Route(
            record,
            body.selected,
            names,
            body.ports,
            untouched=body.untouched,
            router=router,
            leftover=http is not None and not asked,
            meshed=frozenset(stored.name for stored in self._of("DestinationRule")),
            behind=record != body.record,
        )

    def _actions(self) -> tuple[Action, ...]:
        pending = [
            Action(_metadata(stored), stored.body.spec, stored.body.status)
            for stored in self._of("Action")
            if stored.body.status.completed_at is None
        ]
        return tuple(sorted(pending, key=lambda action: (action.metadata.created or 0, 0)))


def _metadata(stored: Stored) -> Metadata:
    return Metadata(
        stored.name, "default", stored.uid, stored.generation, stored.created, deleting=False
    )


def _revision(stored: Stored) -> Revision:
    return Revision(_metadata(stored), stored.body.spec, stored.body.status)


def _deployment(stored: Stored) -> DeploymentView:
    body: DeploymentBody = stored.body
    return DeploymentView(
        stored.name,
        body.replicas,
        observed=body.observed >= stored.generation,
        available=0,
        intact=body.template == stored.name,
        message="" if body.template == stored.name else "image changed",
    )
