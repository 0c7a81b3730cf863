"""The nine invariants of the design, checked at every plan and before every write takes effect.

What is checked is the truth of the simulated cluster, or the snapshot read by rules written again
here; nothing of the core is asked whether it was right.
"""

import math
from dataclasses import replace
from datetime import datetime, timedelta

from immutablerelease.api.action import ActionKind
from immutablerelease.api.revision import RevisionPhase, RevisionStatus
from immutablerelease.core.decide import decide
from immutablerelease.core.plan import (
    DeleteRevision,
    EnsureService,
    Intent,
    MoveTraffic,
    Plan,
    Scale,
    StartRevision,
    WriteActionStatus,
    WriteReleaseStatus,
    WriteRevisionStatus,
)
from immutablerelease.core.probing import Outcome
from immutablerelease.core.shares import by_weight
from immutablerelease.core.snapshot import EVERY, Route, RouteRecord, Snapshot

from .cluster import Cluster
from .stage import manual

REFUSED = (RevisionPhase.FAILED, RevisionPhase.REJECTED)
HISTORY = (RevisionPhase.SUPERSEDED, RevisionPhase.RETIRED)
FAR = (timedelta(minutes=5), timedelta(hours=6), timedelta(days=30))
DRAIN = timedelta(seconds=10)
# How far apart the clocks of two operators may be.
CLOCKS = timedelta(seconds=4)


class Breach(AssertionError):
    """An invariant of the design was broken."""

    def __init__(self, invariant: int, message: str) -> None:
        super().__init__(f"invariant {invariant}: {message}")
        self.invariant = invariant


def require(invariant: int, holds: bool, message: str) -> None:
    """Raise a breach unless it holds."""
    if not holds:
        raise Breach(invariant, message)


class Invariants:
    """Watches one operator in one cluster.

    Being thorough means to decide again for every plan, in other circumstances and at other times.
    """

    def __init__(self, cluster: Cluster, *, thorough: bool = True) -> None:
        self.cluster = cluster
        self.thorough = thorough
        self.decide = decide
        # Whether one was broken; what follows then tells nothing.
        self.broken = False
        # Revisions that an automatic revert left, until somebody asks for them again.
        self.reverted: set[str] = set()
        # Policies that refused each revision last.
        self.refused_by: dict[str, str] = {}
        # When each revision lost the traffic, and whether a promotion took it.
        self.left: dict[str, tuple[datetime, bool]] = {}
        # Revisions that the operator made so small that no request can be answered.
        self.shrunk: set[str] = set()
        # Every number that the port of each revision ever had.
        self.numbers: dict[str, set[int]] = {}
        # Whether somebody deleted the HTTPRoute, of which nobody was to know.
        self.torn_out = False
        # Newest step of the canary at which each revision got a share.
        self.steps: dict[str, int] = {}

    def forget(self, name: str) -> None:
        """A revision was deleted and all that was known of it."""
        self.reverted.discard(name)
        self.left.pop(name, None)

    def forget_untold(self) -> None:
        """Somebody deleted the record of the route; what no status tells yet was known by it."""
        self.reverted = {
            name for name in self.reverted if self.cluster.status(name).phase in REFUSED
        }

    # --- every plan -----------------------------------------------------------------------------

    def planned(self, snapshot: Snapshot, plan: Plan, now: datetime) -> None:
        """Check a plan as a whole."""
        self.broken = True
        self._plan(snapshot, plan, now)
        self.broken = False

    def _plan(self, snapshot: Snapshot, plan: Plan, now: datetime) -> None:
        moves = [intent for intent in plan.intents if isinstance(intent, MoveTraffic)]
        require(3, len(moves) <= 1, f"a plan moves traffic {len(moves)} times")
        require(3, not moves or plan.intents[0] == moves[0], "a move waits for other writes")
        require(5, self._effects_come_first(plan), "an action is answered before its effect")
        for intent in plan.intents:
            if isinstance(intent, StartRevision):
                there = intent.revision in snapshot.deployments
                complete = there and intent.revision in snapshot.services - snapshot.outdated
                require(6, not complete, f"{intent.revision} is made again though it is there")
            if isinstance(intent, WriteReleaseStatus):
                self._kstatus(snapshot, intent)
        self._share_is_lost(snapshot, bool(moves))
        if not self.thorough:
            return
        if moves and moves[0].record.reason == "Reverted":
            self._revert_is_unconditional(snapshot, moves[0], now)
        if not plan.intents:
            self._steady(snapshot, plan, now)

    @staticmethod
    def _share_is_lost(snapshot: Snapshot, moves: bool) -> None:
        """What is no candidate any more has no share for longer than one decision."""
        record = snapshot.route.record
        if record is None or record.weight == 0 or snapshot.release.status.source is None:
            return
        name, active = record.candidate or "", record.revision
        known = snapshot.revisions.get(name)
        serves = any(pod.serving for pod in snapshot.pods.get(active, ()))
        over = known is None or known.status.phase in (*REFUSED, RevisionPhase.SUPERSEDED)
        trusted = active in snapshot.revisions and (
            snapshot.revisions[active].status.phase is RevisionPhase.ACTIVE
        )
        require(3, moves or not (over and serves and trusted), f"{name} keeps its share")

    @staticmethod
    def _effects_come_first(plan: Plan) -> bool:
        kinds = [type(intent) for intent in plan.intents]
        answers = [place for place, kind in enumerate(kinds) if kind is WriteActionStatus]
        effects = [
            place
            for place, kind in enumerate(kinds)
            if kind in (MoveTraffic, WriteRevisionStatus, WriteReleaseStatus)
        ]
        return not answers or not effects or min(answers) > max(effects)

    @staticmethod
    def _kstatus(snapshot: Snapshot, intent: WriteReleaseStatus) -> None:
        conditions = {item.type: item for item in intent.status.conditions}
        generation = snapshot.release.metadata.generation
        require(8, intent.status.observed_generation == generation, "a generation is not told")
        require(8, "Ready" in conditions, "Ready is not told")
        for type_ in ("Reconciling", "Stalled"):
            told = conditions.get(type_)
            require(8, told is None or told.status.value == "True", f"{type_} is there, untrue")
        ready = conditions["Ready"].status.value == "True"
        require(8, not (ready and "Stalled" in conditions), "Ready and Stalled")
        why = {"Reconciling", "Stalled"} & conditions.keys()
        waits = conditions["Ready"].reason == "Paused"
        require(8, ready or waits or bool(why), "not ready, and nothing says why")
        for condition in conditions.values():
            require(8, condition.observed_generation == generation, f"{condition.type} is stale")

    def _revert_is_unconditional(
        self, snapshot: Snapshot, move: MoveTraffic, now: datetime
    ) -> None:
        """Whatever else is wrong with the release and what it leaves, the revert is the same."""
        leaving = move.record.previous
        release = snapshot.release
        paused = replace(release, spec=release.spec.model_copy(update={"paused": True}))
        deployments = {name: view for name, view in snapshot.deployments.items() if name != leaving}
        services = snapshot.services - {leaving or ""}
        for changed in (
            replace(snapshot, release=paused),
            replace(snapshot, policies="others", resolution=None, verdicts={}),
            replace(snapshot, refusals={leaving or "": "quota"}, services=services),
            replace(snapshot, conflicts=(f"Deployment/{leaving}",)),
            replace(snapshot, route=replace(snapshot.route, untouched=False)),
            replace(snapshot, deployments=deployments)
            if "TemplateChanged" not in move.record.message
            else snapshot,
        ):
            moves = [
                intent.record.revision
                for intent in self.decide(changed, now).intents
                if isinstance(intent, MoveTraffic)
            ]
            require(3, moves == [move.record.revision], f"the revert is held up ({moves})")

    def _steady(self, snapshot: Snapshot, plan: Plan, now: datetime) -> None:
        """Nothing to do now is nothing to do until the wake-up, and what waits has one."""
        require(8, not plan.events, f"a plan without intents tells {plan.events}")
        if plan.wake_at is None:
            times = [now + far for far in FAR]
        else:
            require(8, plan.wake_at > now, "a wake-up in the past")
            times = [now + (plan.wake_at - now) * 0.6]
        for time in times:
            later = self.decide(snapshot, time)
            require(8, not later.intents, f"nothing wakes the operator for {later.intents}")

    # --- every moment ---------------------------------------------------------------------------

    def ticked(self) -> None:
        """Check where the data plane sends requests at this moment."""
        self.broken = True
        self.torn_out = self.torn_out and self.cluster.http_route is None
        passed = {name for name, _ in self.cluster.passed}
        self._ports()
        for name in () if self.torn_out else self.cluster.edge.targets():
            require(1, name in passed, f"requests are sent to {name}, which was never verified")
            deployment = self.cluster.find("Deployment", name)
            empty = deployment is not None and deployment.body.replicas == 0
            shrunk = empty and name in self.shrunk
            require(2, not shrunk, f"requests are sent to {name}, which was scaled to none")
        self.broken = False

    def _ports(self) -> None:
        """Requests are sent to ports that are there, unless the number changes under what serves.

        One object changes after the other then, which is told in the docs.
        """
        for service in self.cluster.all("RevisionService"):
            self.numbers.setdefault(service.name, set()).add(service.body[0].port)
        for body in self.cluster.edge.programmed():
            for name, port in () if body.leads else body.ports:
                there = self.numbers.get(name, set())
                wrong = len(there) == 1 and port not in there and name in body.receivers
                wrong = wrong and bool(self.cluster.serving(name))
                require(2, not wrong, f"requests are sent to port {port} of {name}, it has {there}")

    # --- every write ----------------------------------------------------------------------------

    def applies(self, snapshot: Snapshot, intent: Intent) -> None:
        """Check one write before it takes effect."""
        self.broken = True
        self._write(snapshot, intent)
        self.broken = False

    def _write(self, snapshot: Snapshot, intent: Intent) -> None:
        if isinstance(intent, MoveTraffic):
            self._moves(snapshot, intent)
        elif isinstance(intent, EnsureService):
            route = snapshot.route
            names = route.record.revision if route.record else None
            shared = route.record is not None and route.record.weight > 0
            wanted = EVERY if shared and not by_weight(snapshot.release) else names
            if intent.drained:
                self._drains(snapshot)
            self._keeps(snapshot)
            require(
                1, wanted == route.selected, f"ports are set on a Service that drifted ({names})"
            )
            passed = {name for name, _ in self.cluster.passed}
            require(1, names in passed, f"ports are set on a Service that names {names}")
        elif isinstance(intent, StartRevision):
            self._runs(intent.revision)
        elif isinstance(intent, Scale):
            if intent.replicas > self.cluster.get("Deployment", intent.revision).body.replicas:
                self._runs(intent.revision)
            self._scales(snapshot, intent.revision, intent.replicas)
            if intent.replicas == 0 and snapshot.release.spec.replicas > 0:
                self.shrunk.add(intent.revision)
            else:
                self.shrunk.discard(intent.revision)
        elif isinstance(intent, DeleteRevision):
            require(2, intent.name != self.cluster.selected, f"{intent.name} serves and goes")
            self._scales(snapshot, intent.name, 0)
            # Beyond the limit of the history that it failed is forgotten with it.
            self.forget(intent.name)
        elif isinstance(intent, WriteRevisionStatus):
            self._remembers(snapshot, intent)

    def _runs(self, name: str) -> None:
        passed = {revision for revision, _ in self.cluster.passed}
        require(1, name in passed, f"Pods of {name} are made and it was never verified")

    def _moves(self, snapshot: Snapshot, intent: MoveTraffic) -> None:
        record = intent.record
        target = record.revision
        passed = {name for name, _ in self.cluster.passed}
        for named in {target, record.candidate} - {None}:
            require(1, named in passed, f"{named} was never verified")
        require(1, bool(self.cluster.serving(target)), f"{target} has no ready Pod")
        if record.candidate is not None and (record.weight > 0 or record.mirror > 0):
            self._shares(snapshot, record, record.candidate)
        before = snapshot.route.record
        self._carried(snapshot, record)
        if by_weight(snapshot.release) and before is not None:
            self._by_weight(snapshot, before, record)
        if record.reason == "Promoted" and (before is None or before.revision != target):
            active = snapshot.revisions[target].status.phase is RevisionPhase.ACTIVE
            if not active:
                self._proven(snapshot, target)
        if record.reason == "Reverted":
            self._helps(snapshot, record.previous)
        self._trusted(snapshot, intent)
        require(9, target not in self.reverted, f"{target} was reverted, and serves again")
        if record.reason == "Reverted" and before is not None:
            shared = before.weight > 0 and before.candidate == record.previous
            if shared and before.revision == target and before.candidate is not None:
                self.reverted.add(before.candidate)
        self._note_leaving(record.revision, record.reason)

    @staticmethod
    def _carried(snapshot: Snapshot, record: RouteRecord) -> None:
        """A share is given by what carries the traffic, and by nothing besides."""
        if record.weight == record.mirror == 0:
            return
        route, name = snapshot.route, record.candidate
        require(4, not route.leftover, f"{name} gets a share by two weights")
        told = not by_weight(snapshot.release) or route.router.record is not None
        require(4, told, f"a router is not told of {name} first")

    def _by_weight(self, snapshot: Snapshot, before: RouteRecord, record: RouteRecord) -> None:
        """Added at weight 0 first, raised once proven, and what had the traffic drains in peace."""
        restored = record == before
        proven = self.cluster.edge.routes == before and snapshot.route.router.accepted
        known = snapshot.revisions.get(before.revision)
        served = known is not None and known.status.phase is RevisionPhase.ACTIVE
        answers = any(pod.serving for pod in snapshot.pods.get(before.revision, ()))
        alone = not served or not answers
        if record.candidate not in (None, before.candidate):
            require(
                4, record.weight == record.mirror == 0, f"{record.candidate} is not added first"
            )
            drained = before.previous is None or self.cluster.now >= before.at + DRAIN - CLOCKS
            require(2, drained, f"{before.previous} is left out before it drained")
        elif record.candidate is not None and record.weight > before.weight and not restored:
            require(4, proven, f"{record.candidate} gets more before the gateway is proven")
        if record.reason == "Promoted" and record.revision != before.revision and not alone:
            added = before.candidate == record.revision
            require(4, added, f"{record.revision} gets all and the gateway did not know it")
            require(4, proven, f"{record.revision} gets all before the gateway is proven")

    def _keeps(self, snapshot: Snapshot) -> None:
        """What is written over moves no traffic, and an HTTPRoute goes when it shares nothing."""
        written, record = self.cluster.http_route, snapshot.route.record
        if written is None or written.leads or record is None:
            return
        if by_weight(snapshot.release):
            require(2, written.record == record, "the HTTPRoute is moved without a look")
        elif record.weight > 0:
            require(2, self.cluster.selected == EVERY, f"{record.candidate} is left to nobody")

    def _drains(self, snapshot: Snapshot) -> None:
        record = snapshot.route.record
        if record is None or record.previous is None:
            return
        over = self.cluster.now >= record.at + DRAIN - CLOCKS
        proven = self.cluster.edge.routes == record
        require(2, over and proven, f"{record.previous} is left out before it drained")

    def _trusted(self, snapshot: Snapshot, intent: MoveTraffic) -> None:
        """Traffic goes to nothing that is refused by now, and for a refusal only to the proven."""
        record, before = intent.record, snapshot.route.record
        stays = before is not None and before.revision == record.revision
        if before is not None and before.weight > 0 and before.candidate == record.revision:
            # It has a share, and nothing else answers.
            known_pods = snapshot.pods.get(before.revision, ())
            stays = stays or not any(pod.serving for pod in known_pods)
        known = snapshot.revisions[record.revision].status
        serves = known.phase is RevisionPhase.ACTIVE
        require(1, stays or serves or known.refusal is None, f"{record.revision} is refused by now")
        if record.reason != "VerificationRefused" or stays or serves:
            return
        held = (record.revision, snapshot.policies) in self.cluster.passed
        require(1, held, f"{record.revision} takes over and the present policies did not pass it")
        left = snapshot.revisions[record.previous or ""].status.refusal
        require(3, left is not None and left.revert, f"{record.previous} is left against policy")

    def _shares(self, snapshot: Snapshot, record: RouteRecord, name: str) -> None:
        """A share is for what was proven, step by step, and for no Pods of others."""
        before, weight = snapshot.route.record, record.weight
        again = before is not None and (before.candidate, before.weight) == (name, weight)
        passed = {revision for revision, _ in self.cluster.passed}
        require(1, name in passed, f"{name} gets a share and was never verified")
        require(1, bool(self.cluster.serving(name)), f"{name} gets a share without a ready Pod")
        require(9, name not in self.reverted, f"{name} was reverted, and gets a share again")
        for pod in [] if by_weight(snapshot.release) else self.cluster.all("Pod"):
            ours = pod.body.revision in (name, record.revision)
            require(1, ours or pod.body.view.deleting, f"{pod.body.revision} gets traffic as well")
        if again:
            return
        steps = snapshot.release.spec.strategy.canary
        step = snapshot.revisions[name].status.step
        wanted = steps.steps[step].weight if steps and step < len(steps.steps) else None
        require(4, weight == wanted, f"{name} gets {weight} % at step {step}")
        require(4, step <= self.steps.get(name, 0) + 1, f"{name} leaves steps out before {step}")
        self.steps[name] = step
        self._evidence(snapshot, name)

    def _stepped(self, snapshot: Snapshot, target: str) -> None:
        """A canary is promoted after its last step, or because somebody asked for it in full."""
        canary, before = snapshot.release.spec.strategy.canary, snapshot.route.record
        known = snapshot.revisions.get(before.revision) if before else None
        answers = before and any(pod.serving for pod in snapshot.pods.get(before.revision, ()))
        serves = known is not None and known.status.phase is RevisionPhase.ACTIVE and answers
        if canary is None or not serves:
            # Nothing served that it could have shared with.
            return
        asked = any(stored.body.spec.full for stored in self.cluster.all("Action"))
        # Somebody asked for it while nothing answered that it could have shared with.
        asked = asked or snapshot.revisions[target].status.approved
        last = [at for at, step in enumerate(canary.steps) if step.weight > 0][-1]
        require(4, asked or self.steps.get(target) == last, f"{target} leaves out steps")

    def _evidence(self, snapshot: Snapshot, name: str) -> None:
        for pod in snapshot.pods.get(name, ()):
            states = snapshot.probes.get(name, {}).get(pod.uid, {})
            for probe in snapshot.release.spec.health.probes if pod.serving else ():
                state = states.get(probe.name)
                passing = state is not None and state.outcome is Outcome.PASSING
                require(4, passing, f"{name} moves on, {probe.name} on {pod.name}: {state}")

    def _note_leaving(self, target: str, reason: str) -> None:
        before = self.cluster.record
        leaving = before.revision if before else None
        if leaving is not None and leaving != target and self._served(leaving):
            self.left[leaving] = (self.cluster.now, reason == "Promoted")
            if reason == "Reverted":
                self.reverted.add(leaving)
        self.left.pop(target, None)

    def _served(self, name: str) -> bool:
        """Whether it really had the traffic; one that was deleted and made again did not."""
        stored = self.cluster.find("Revision", name)
        if stored is None:
            return False
        return (stored.body.status.tested_at or stored.body.status.active_since) is not None

    def _proven(self, snapshot: Snapshot, target: str) -> None:
        """A promotion has evidence of everything, by policies that hold now."""
        spec = snapshot.release.spec
        held = (target, snapshot.policies) in self.cluster.passed
        require(4, held, f"{target} is promoted and the present policies did not pass it")
        self._stepped(snapshot, target)
        pods = [pod for pod in snapshot.pods.get(target, ()) if pod.serving]
        require(4, len(pods) >= max(1, spec.replicas), f"{target} is promoted half-started")
        for pod in pods:
            states = snapshot.probes.get(target, {}).get(pod.uid, {})
            for probe in spec.health.probes:
                if probe.whole:
                    well = self.cluster.measures(target)
                    require(4, well is not False, f"{target} is promoted and measured badly")
                    continue
                state = states.get(probe.name)
                passing = state is not None and state.outcome is Outcome.PASSING
                require(4, passing, f"{target} is promoted, {probe.name} on {pod.name}: {state}")
        require(4, not spec.paused, f"{target} is promoted while the release is paused")
        if manual(spec):
            asked = any(
                stored.body.spec.action is ActionKind.PROMOTE
                for stored in self.cluster.all("Action")
            )
            require(4, asked, f"{target} is promoted and nobody asked for it")

    def _helps(self, snapshot: Snapshot, leaving: str | None) -> None:
        """Where everything fails the same probe, nothing is gained by going elsewhere."""
        down = self.cluster.dependency_down_since
        serving = [pod for pod in snapshot.pods.get(leaving or "", ()) if pod.serving]
        if down is None or not serving:
            return
        states = snapshot.probes.get(leaving or "", {})
        began = [
            state.failing_since
            for pod in serving
            for state in states.get(pod.uid, {}).values()
            if state.outcome is Outcome.FAILING and state.failing_since is not None
        ]
        crashing = any(
            container.waiting or container.restarts
            for pod in snapshot.pods.get(leaving or "", ())
            for container in pod.containers
        )
        helpless = bool(began) and down <= min(began) and not crashing
        require(3, not helpless, f"{leaving} is left though everything fails the same probe")

    def _scales(self, snapshot: Snapshot, name: str, replicas: int) -> None:
        spec = snapshot.release.spec
        known = snapshot.deployments.get(name)
        if replicas >= spec.replicas or (known is not None and known.replicas < replicas):
            return
        record = self.cluster.record
        serves = record is not None and record.weight > 0 and record.revision == name
        serves = serves or name == self.cluster.selected
        require(2, not serves, f"{name} serves and shrinks to {replicas}")
        if record is not None and name == record.candidate and replicas > 0:
            self._carries(snapshot, name, replicas)
            return
        self._unreached(snapshot, name)
        named = {pod.name for pod in snapshot.pods.get(name, ())} & snapshot.route.endpoints
        require(2, not named, f"{name} is routed to and shrinks to {replicas}")
        status = self.cluster.status(name)
        if name not in self.left or status.phase is RevisionPhase.REJECTED:
            return
        left, promoted = self.left[name]
        # A Service shares by its selector: Pods of others would get traffic too.
        warm = promoted and spec.strategy.canary is None
        keep = timedelta(seconds=spec.keep_warm) if warm else DRAIN
        if status.phase is not RevisionPhase.FAILED or not promoted:
            over = self.cluster.now >= left + keep - CLOCKS
            told = f"left {left:%X}, now {self.cluster.now:%X}, {status.phase}, {status.left_at}"
            require(2, over, f"{name} shrinks to {replicas} inside of its keepWarm ({told})")

    def _carries(self, snapshot: Snapshot, name: str, replicas: int) -> None:
        """What gets a share by weight keeps the Pods for it until requests go by another."""
        if not by_weight(snapshot.release):
            return
        written = [self.cluster.http_route, *self.cluster.edge.programmed()]
        shares = [
            body.record.weight
            for body in written
            if body is not None and not body.leads and body.record.candidate == name
        ]
        needed = math.ceil(snapshot.release.spec.replicas * max(shares, default=0) / 100)
        require(2, replicas >= needed, f"{name} shrinks to {replicas} and its share needs {needed}")

    def _unreached(self, snapshot: Snapshot, name: str) -> None:
        """What a gateway sends requests to, or may begin to, is not made smaller.

        Where it is not asked for any more nobody knows what it does; it has as long as a drain.
        """
        edge, written = self.cluster.edge, self.cluster.http_route
        if self.torn_out and (not by_weight(snapshot.release) or snapshot.route.record is None):
            return
        require(2, not edge.sends(name), f"the gateway sends requests to {name}, and it shrinks")
        told = written is not None and not written.leads and name in written.receivers
        require(2, not told, f"the gateway is told to send requests to {name}, and it shrinks")

    def _remembers(self, snapshot: Snapshot, intent: WriteRevisionStatus) -> None:
        if intent.status.phase is RevisionPhase.ACTIVE:
            passed = {name for name, _ in self.cluster.passed}
            require(1, intent.name in passed, f"{intent.name} serves, never verified")
        verdict = intent.status.verification
        if verdict is not None and verdict.verdict == "Refused":
            self.refused_by[intent.name] = verdict.policies
        if intent.status.refusal is not None:
            self.refused_by[intent.name] = intent.status.refusal.policies
        if intent.status.phase in REFUSED and intent.name in self.left:
            self.left[intent.name] = (self.left[intent.name][0], False)
        known = snapshot.revisions.get(intent.name)
        if known is None or known.status.phase not in REFUSED or intent.status.phase in REFUSED:
            return
        before: RevisionStatus = known.status
        if self._asked_again(before, intent.status):
            self.reverted.discard(intent.name)
            return
        rejected = before.phase is RevisionPhase.REJECTED
        again = rejected and self.refused_by.get(intent.name) != snapshot.policies
        history = rejected and intent.status.phase in HISTORY
        require(
            7,
            again or history or _routed(snapshot.route, intent.name),
            f"{intent.name} is tried again",
        )

    def _asked_again(self, before: RevisionStatus, after: RevisionStatus) -> bool:
        retries = {
            stored.uid
            for stored in self.cluster.all("Action")
            if stored.body.spec.action is ActionKind.RETRY
        }
        return after.last_action != before.last_action and after.last_action in retries


def _routed(route: Route, name: str) -> bool:
    return route.record is not None and route.record.revision == name
