"""One reconcile per release: observe, decide, apply. Everything that varies comes in from outside.

What was learnt and is not in the cluster (work in the background, names that are taken, objects
that the API server refuses) lives here and is found out again after a restart.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from immutablerelease.core.decide import decide
from immutablerelease.core.plan import (
    EnsureService,
    Event,
    Intent,
    MoveTraffic,
    Plan,
    RecordRevision,
    StartRevision,
    WriteReleaseStatus,
    WriteRevisionStatus,
)
from immutablerelease.core.shares import Router, router
from immutablerelease.core.snapshot import (
    Resolution,
    RouteRecord,
    Snapshot,
    Unresolved,
    VerdictView,
)
from immutablerelease.health.prober import Prober
from immutablerelease.immutability.job import last_words
from immutablerelease.traffic.proof import Proof, Proofs

from .children import NameTaken, StillThere, belongs, is_ours
from .client import (
    BUDGETS,
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    REVISIONS,
    SECRETS,
    SERVICES,
    Api,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    Kind,
    NamespaceGoing,
    NotFound,
    Unavailable,
)
from .execute import Executor, StillRouted
from .happened import Happened, Unsure, happened
from .key import Key
from .observe import Observer
from .queue import WorkQueue
from .refusals import Refusals
from .routers import BESIDE, ROUTES, Presence
from .routing import MovedMeanwhile, NotReady, RouteRefused, RouterMissing
from .targets import targets
from .work import Work

log = logging.getLogger(__name__)

_KINDS: Mapping[str, Kind] = {
    kind.kind: kind
    for kind in (
        SERVICES,
        DEPLOYMENTS,
        DAEMON_SETS,
        JOBS,
        BUDGETS,
        REVISIONS,
        CONFIG_MAPS,
        SECRETS,
        *ROUTES.values(),
        *BESIDE.values(),
    )
}
# What changes nothing but what is told.
_TELLS = (WriteReleaseStatus, WriteRevisionStatus)
# Seconds that a result may take before it is told that it is awaited: most are there before, and
# what was written meanwhile would be overwritten at once.
RESULT_DELAY = 0.5
# Seconds between two attempts to record what was refused, at most; nobody is failed meanwhile. And
# those to write a route, when users may be sent to what fails.
LONGEST_UNRECORDED = 300.0
LONGEST_UNROUTED = 15.0
# How soon to look again whether a name that was taken is free, or the kinds of a router there.
CONFLICT_DELAY = 15.0


class Teller(Protocol):
    """Where events and figures go."""

    def tell(self, snapshot: Snapshot, event: Event) -> None:
        """Publish an event."""

    def reconciled(self, key: Key, result: str, seconds: float) -> None:
        """Count a reconcile."""

    def moved(self, record: RouteRecord) -> None:
        """A move of traffic was made."""

    def recorded(self, key: Key, snapshot: Snapshot, plan: Plan) -> None:
        """A plan was applied in full."""

    def gone(self, key: Key) -> None:
        """A release is gone."""


class Memory:
    """What this process found out about releases; the `Findings` of an observer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.work: Work | None = None
        self.proofs: Proofs[Key] | None = None
        self.presence: Presence | None = None
        self.recording = Refusals(clock, LONGEST_UNRECORDED)
        self.routing = Refusals(clock, LONGEST_UNROUTED)
        self._conflicts: dict[Key, set[str]] = {}
        self._refusals: dict[Key, dict[str, str]] = {}
        self._words: dict[Key, dict[str, str]] = {}

    def resolution(self, key: Key) -> Resolution | Unresolved | None:
        """Result of resolving its template."""
        return self.work.resolution(key) if self.work else None

    def verdicts(self, key: Key) -> Mapping[str, VerdictView]:
        """Verdicts on its revisions."""
        return self.work.verdicts(key) if self.work else {}

    def conflicts(self, key: Key) -> tuple[str, ...]:
        """Objects that stand in the way."""
        return tuple(sorted(self._conflicts.get(key, ())))

    def words(self, key: Key, uid: str) -> str | None:
        """What a failed Job's Pod said last; None while nobody has listened."""
        return self._words.get(key, {}).get(uid)

    def heard(self, key: Key, words: dict[str, str]) -> None:
        """The last words of all failed Jobs, by uid."""
        self._words[key] = words

    def refusals(self, key: Key) -> Mapping[str, str]:
        """What the API server refused, by revision."""
        return {**self._refusals.get(key, {}), **self.recording.held(key)}

    def proof(self, key: Key) -> Proof | None:
        """What was found out of how its gateways route."""
        return self.proofs.state(key) if self.proofs else None

    def installed(self, router: Router) -> bool:
        """Whether the cluster has the kinds of a router."""
        return self.presence is None or self.presence.installed(router)

    def unrouted(self, key: Key, route: str) -> tuple[str, bool]:
        """Why the API server goes on refusing a route, and whether its write is held back."""
        return self.routing.lasting(key).get(route, ""), bool(self.routing.held(key).get(route))

    def taken(self, key: Key, name: str) -> None:
        """An object is in the way."""
        self._conflicts.setdefault(key, set()).add(name)

    def free(self, key: Key, name: str) -> None:
        """An object is out of the way."""
        self._conflicts.get(key, set()).discard(name)

    def refused(self, key: Key, revision: str, message: str) -> None:
        """The API server refuses a revision's workload."""
        self._refusals.setdefault(key, {})[revision] = message

    def settle_refusals(self, key: Key) -> None:
        """What was refused is told in a status by now; another attempt asks again."""
        self._refusals.pop(key, None)

    def forget(self, key: Key) -> None:
        """Drop all about a release."""
        self._conflicts.pop(key, None)
        self._words.pop(key, None)
        self._refusals.pop(key, None)
        self.recording.forget(key)
        self.routing.forget(key)


class Controller:
    """Reconciles releases."""

    def __init__(
        self,
        *,
        api: Api,
        observer: Observer,
        executor: Executor,
        memory: Memory,
        work: Work,
        prober: Prober[Key],
        proofs: Proofs[Key],
        presence: Presence,
        queue: WorkQueue[Key],
        teller: Teller,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        leading: Callable[[], bool] = lambda: True,
    ) -> None:
        """`leading` says whether this process may work at this very moment."""
        self._api = api
        self._observer = observer
        self._executor = executor
        self._memory = memory
        self._work = work
        self._prober = prober
        self._proofs = proofs
        self._presence = presence
        self._queue = queue
        self._teller = teller
        self._now = now
        self._clock = clock
        self._leading = leading
        self._unsure: dict[Key, Unsure] = {}

    async def handle(self, key: Key) -> None:
        """Reconcile a release; whatever goes wrong ends in a retry with backoff."""
        started = self._clock()
        result, wait = "error", None
        try:
            result = await self._reconcile(key)
        except NamespaceGoing as error:
            log.info("%s: %s", key, error.message)
            result = "gone"
        except ApiError as error:
            log.warning("%s: %s; %s", key, error, error.advice)
            wait = error.retry_after
        except Exception:
            log.exception("%s: unexpected failure", key)
        if wait is not None:
            self._queue.add_after(key, wait)
        elif result in ("error", "waiting"):
            self._queue.add_rate_limited(key)
        else:
            self._queue.forget(key)
        self._teller.reconciled(key, result, self._clock() - started)

    async def _reconcile(self, key: Key) -> str:
        await self._recheck_conflicts(key)
        await self._hear_jobs(key)
        snapshot = self._observer.snapshot(key)
        if snapshot is None or snapshot.release.metadata.going:
            self._forget(key)
            return "gone"
        asked = router(snapshot.release)
        if asked is not None and not self._presence.installed(asked):
            await self._presence.look(asked, key.namespace)
            snapshot = self._observer.snapshot(key) or snapshot
        self._settle_unsure(key, snapshot)
        plan = decide(snapshot, self._now())
        begun = self._work.begin(key, plan, snapshot)
        self._watch_probes(key, plan, snapshot)
        self._proofs.watch(key, self._observer.question(key, snapshot))
        if begun and plan.intents and all(isinstance(one, _TELLS) for one in plan.intents):
            self._queue.add_after(key, RESULT_DELAY)
            return "unchanged"
        applied: list[Intent] = []
        try:
            if not await self._apply(key, plan, snapshot, applied):
                return "waiting"
        finally:
            self._tell(snapshot, happened(snapshot, plan, applied))
        self._after(key, plan, snapshot)
        return "changed" if plan.intents else "unchanged"

    async def _apply(self, key: Key, plan: Plan, snapshot: Snapshot, applied: list[Intent]) -> bool:
        """Whether all of it was applied; what was is added to `applied`."""
        for intent in plan.intents:
            if not self._leading():
                # It was frozen and thawed: another process may have decided otherwise by now.
                log.warning("%s: not done, the lease has run out", key)
                return False
            try:
                await self._executor.carry_out(snapshot, intent)
            except (NotReady, MovedMeanwhile, StillRouted, StillThere) as error:
                log.info("%s: not done, decided anew: %s", key, error)
                return False
            except RouterMissing as error:
                self._presence.lost(error.router)
                self._unsure.pop(key, None)
                applied.append(intent)
                return False
            except RouteRefused as error:
                self._memory.routing.refused(key, error.route, error.message)
                self._unsure.pop(key, None)
                applied.append(intent)
                return False
            except NameTaken as error:
                self._memory.taken(key, error.object)
                return False
            except (Invalid, Forbidden) as error:
                if isinstance(intent, StartRevision):
                    self._memory.refused(key, intent.revision, error.message)
                elif isinstance(intent, RecordRevision):
                    self._memory.recording.refused(key, intent.name, error.message)
                else:
                    raise
                return False
            except (Unavailable, Conflict):
                # A repetition of what was done finds another version than it names.
                if isinstance(intent, MoveTraffic):
                    self._unsure[key] = Unsure.of(snapshot, plan, intent)
                raise
            if isinstance(intent, MoveTraffic):
                self._unsure.pop(key, None)
            if isinstance(intent, (MoveTraffic, EnsureService)):
                self._memory.routing.forget(key)
            elif isinstance(intent, RecordRevision):
                self._memory.recording.forget(key)
            applied.append(intent)
        return True

    def _settle_unsure(self, key: Key, snapshot: Snapshot) -> None:
        unsure = self._unsure.get(key)
        known = unsure.settled(snapshot) if unsure else None
        if known is not None:
            del self._unsure[key]
            self._tell(snapshot, known)

    def _tell(self, snapshot: Snapshot, known: Happened) -> None:
        for record in known.moves:
            self._teller.moved(record)
        for event in known.events:
            self._teller.tell(snapshot, event)

    def _after(self, key: Key, plan: Plan, snapshot: Snapshot) -> None:
        self._work.end(key, plan)
        self._teller.recorded(key, snapshot, plan)
        if snapshot.refusals:
            self._memory.settle_refusals(key)
        if snapshot.conflicts or not snapshot.route.router.installed:
            self._queue.add_after(key, CONFLICT_DELAY)
        for refusals in (self._memory.recording, self._memory.routing):
            if left := refusals.left(key):
                self._queue.add_after(key, left)
        if plan.intents:
            # The store knows our own writes already, so their watch events will not come again.
            self._queue.add(key)
        elif plan.wake_at is not None:
            delay = (plan.wake_at - self._now()).total_seconds()
            self._queue.add_after(key, max(0.0, delay))

    def _watch_probes(self, key: Key, plan: Plan, snapshot: Snapshot) -> None:
        self._prober.watch(key, targets(key, plan, snapshot), plan.probe)

    async def _recheck_conflicts(self, key: Key) -> None:
        snapshot = self._observer.snapshot(key) if self._memory.conflicts(key) else None
        for name in self._memory.conflicts(key):
            kind, _, object_name = name.partition("/")
            try:
                found = await self._api.get(_KINDS[kind], key.namespace, object_name)
            except NotFound:
                self._memory.free(key, name)
                continue
            # One of an earlier release of this name is in the way as anybody else's is.
            if snapshot is not None and is_ours(found) and belongs(found, snapshot):
                self._memory.free(key, name)

    async def _hear_jobs(self, key: Key) -> None:
        """Read what failed jobs said, once: the Job itself tells only that its Pod failed."""
        words = {}
        for live in self._observer.failed_jobs(key):
            uid, name = live["metadata"]["uid"], live["metadata"]["name"]
            known = self._memory.words(key, uid)
            words[uid] = await self._last_words(key, name) if known is None else known
        if words:
            self._memory.heard(key, words)

    async def _last_words(self, key: Key, job: str) -> str:
        selector = f"batch.kubernetes.io/job-name={job}"
        try:
            return last_words(await self._api.list(PODS, key.namespace, selector=selector))
        except ApiError as error:
            # The verdict does not wait for the words.
            log.info("%s: the Pods of Job %s were not read: %s", key, job, error)
            return ""

    def _forget(self, key: Key) -> None:
        self._queue.cancel(key)
        self._unsure.pop(key, None)
        self._memory.forget(key)
        self._work.forget(key)
        self._prober.forget(key)
        self._proofs.forget(key)
        self._teller.gone(key)
