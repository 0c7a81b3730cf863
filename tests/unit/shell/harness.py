"""The operator's shell around the real core, on a cluster in memory and with a clock of its own."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from immutablerelease.api.probe import Probe
from immutablerelease.api.revision import ResolvedImage, RevisionJob
from immutablerelease.core.plan import Event, Plan, Verify
from immutablerelease.core.probing import WHOLE, Outcome, ProbeState
from immutablerelease.core.snapshot import Resolution, RouteRecord, Snapshot, VerdictView
from immutablerelease.health.prober import Target
from immutablerelease.immutability.job import job_templates
from immutablerelease.runtime.client import (
    ACTIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    ENDPOINT_SLICES,
    HTTP_ROUTES,
    JOBS,
    PODS,
    POLICIES,
    RELEASES,
    REVISIONS,
    SERVICES,
    VIRTUAL_SERVICES,
)
from immutablerelease.runtime.controller import Controller, Memory
from immutablerelease.runtime.execute import Executor
from immutablerelease.runtime.gateways import Gateways
from immutablerelease.runtime.key import Key
from immutablerelease.runtime.observe import Observer
from immutablerelease.runtime.queue import WorkQueue
from immutablerelease.runtime.routers import Presence
from immutablerelease.runtime.store import Store
from immutablerelease.traffic.proof import Proof, Question

from .fake_cluster import FakeCluster

KEY = Key("demo", "shop")
SEEN = (
    POLICIES,
    RELEASES,
    REVISIONS,
    ACTIONS,
    DEPLOYMENTS,
    DAEMON_SETS,
    JOBS,
    SERVICES,
    PODS,
    ENDPOINT_SLICES,
    HTTP_ROUTES,
    VIRTUAL_SERVICES,
    DESTINATION_RULES,
)


def manifest(version: str = "v1", **spec: Any) -> dict[str, Any]:
    """An ImmutableRelease of two Pods with one probe."""
    return {
        "metadata": {"name": "shop", "namespace": "demo"},
        "spec": {
            "replicas": 2,
            "template": template(version),
            "service": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
            "health": {
                "bake": "10s",
                "probes": [{"name": "api", "http": {"path": "/", "port": "http"}}],
            },
            "keepWarm": "60s",
            **spec,
        },
    }


def template(version: str) -> dict[str, Any]:
    """A Pod template that runs that version."""
    return {"spec": {"containers": [{"name": "app", "image": f"registry.test/app:{version}"}]}}


class Proven:
    """Gateways that route by whatever was written last."""

    def __init__(self) -> None:
        # Whether they take nothing up any more; what they had taken up they keep.
        self.lags = False
        self._asked: Question | None = None
        self._routes = ""

    def watch(self, key: Key, question: Question | None) -> None:
        self._asked = question

    def state(self, key: Key) -> Proof | None:
        if self._asked is None:
            return None
        if not self.lags:
            self._routes = self._asked.token
        proven = self._routes == self._asked.token
        return Proof(self._asked.token, proven, "" if proven else "an address is late")

    def forget(self, key: Key) -> None:
        self._asked = None


@dataclass
class Instant:
    """Background work and probes whose results are there at once."""

    refused: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    proofs: Proven = field(default_factory=Proven)
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    # How long a verdict stands; for good where nothing is said.
    every: timedelta | None = None
    verified: list[Verify] = field(default_factory=list)
    _resolution: Resolution | None = None
    _verdicts: dict[str, VerdictView] = field(default_factory=dict)
    _states: dict[str, dict[str, dict[str, ProbeState]]] = field(default_factory=dict)

    def begin(self, key: Key, plan: Plan, snapshot: Snapshot) -> bool:
        if plan.resolve:
            self._resolution = _resolve(snapshot)
        for request in plan.verify:
            self.verified.append(request)
            self._verdicts[request.revision] = self._judge(snapshot, request)
        return False

    def end(self, key: Key, plan: Plan) -> None:
        wanted = {request.revision for request in plan.verify}
        self._verdicts = {name: self._verdicts[name] for name in self._verdicts if name in wanted}

    def forget(self, key: Key) -> None:
        self._resolution, self._verdicts, self._states = None, {}, {}

    def resolution(self, key: Key) -> Resolution | None:
        return self._resolution

    def verdicts(self, key: Key) -> Mapping[str, VerdictView]:
        return self._verdicts

    def watch(
        self,
        key: Key,
        targets: Mapping[str, Sequence[Target]],
        probes: Mapping[str, tuple[Probe, ...]],
    ) -> None:
        self._states = {
            revision: {
                target.uid: {
                    probe.name: self._probe(revision)
                    for probe in probes[revision]
                    if probe.whole is (target.uid == WHOLE) and probe.job is None
                }
                for target in pods
            }
            for revision, pods in targets.items()
        }

    def states(self, key: Key) -> Mapping[str, Mapping[str, Mapping[str, ProbeState]]]:
        return self._states

    def _probe(self, revision: str) -> ProbeState:
        if revision in self.failing:
            return ProbeState(Outcome.FAILING, 0, 3, "got 500", self.now, self.now)
        return ProbeState(Outcome.PASSING, 1, 0, "200", self.now)

    def _judge(self, snapshot: Snapshot, request: Verify) -> VerdictView:
        image = snapshot.revisions[request.revision].spec.images[0].source
        refused = any(image.endswith(f":{version}") for version in self.refused)
        verdict, reason = ("Refused", "Unsigned") if refused else ("Verified", "Signed")
        due = None if self.every is None else self.now + self.every
        return VerdictView(
            verdict, reason, f"{image}: {reason}", request.policies, self.now, due=due
        )


def _resolve(snapshot: Snapshot) -> Resolution:
    container = dict(snapshot.release.spec.template["spec"]["containers"][0])
    source = container["image"]
    digest = sha256(source.encode()).hexdigest()
    container["image"] = f"{source.rpartition(':')[0]}@sha256:{digest}"
    image = ResolvedImage(container="app", source=source, image=container["image"])
    jobs = tuple(
        RevisionJob(name=name, template=template)
        for name, template in job_templates(snapshot.release).items()
    )
    template = {"spec": {"containers": [container]}}
    return Resolution(snapshot.template_hash, template, (image,), jobs=jobs)


@dataclass
class Told:
    """Events and results as the operator told them."""

    events: list[Event] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    moves: list[RouteRecord] = field(default_factory=list)

    def tell(self, snapshot: Snapshot, event: Event) -> None:
        self.events.append(event)

    def reconciled(self, key: Key, result: str, seconds: float) -> None:
        self.results.append(result)

    def moved(self, record: RouteRecord) -> None:
        self.moves.append(record)

    def recorded(self, key: Key, snapshot: Snapshot, plan: Plan) -> None:
        pass

    def gone(self, key: Key) -> None:
        pass


class Operator:
    """One life of the operator's process; `restart` begins another one that remembers nothing."""

    def __init__(self, cluster: FakeCluster, outside: Instant, told: Told | None = None) -> None:
        self.cluster = cluster
        self.outside = outside
        self.told = told or Told()
        self.restart()

    def restart(self) -> None:
        self.outside.forget(KEY)
        self.store = Store()
        memory = Memory(clock=lambda: self.outside.now.timestamp())
        memory.work = self.outside  # type: ignore[assignment]
        self.observer = Observer(self.store, memory, self.outside)
        self.queue: WorkQueue[Key] = WorkQueue(jitter=random.Random(0))  # noqa: S311 (not for secrets)
        gateways, presence = Gateways(self.cluster, lambda namespace: {}), Presence(self.cluster)
        self.executor = Executor(self.cluster, self.store, gateways)
        memory.presence, memory.proofs = presence, self.outside.proofs  # type: ignore[assignment]
        self.controller = Controller(
            api=self.cluster,
            observer=self.observer,
            executor=self.executor,
            memory=memory,
            work=self.outside,  # type: ignore[arg-type]
            prober=self.outside,  # type: ignore[arg-type]
            proofs=self.outside.proofs,  # type: ignore[arg-type]
            presence=presence,
            queue=self.queue,
            teller=self.told,
            now=lambda: self.outside.now,
            clock=lambda: 0.0,
        )

    def observe(self) -> None:
        """Bring the store up to date, as a list does."""
        for kind in SEEN:
            mark = self.store.mark()
            live = self.cluster.of(kind)
            for obj in live:
                self.store.put(kind, obj)
            self.store.prune(kind, None, live, since=mark)

    async def run(self, seconds: float = 0.0, step: float = 1.0, limit: int = 60) -> None:
        """Reconcile until nothing changes, over that much time."""
        end = self.outside.now + timedelta(seconds=seconds)
        while True:
            for _ in range(limit):
                self.cluster.settle()
                self.observe()
                await self.controller.handle(KEY)
                if self.told.results[-1] in ("unchanged", "gone"):
                    break
            else:
                raise AssertionError(
                    f"no rest after {limit} reconciles: {self.cluster.writes[-9:]}"
                )
            if self.outside.now >= end:
                return
            self.outside.now += timedelta(seconds=step)
