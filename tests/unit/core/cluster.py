"""A cluster in memory: objects with resource versions, controllers, kubelets, a registry, users.

It keeps the promises of the real one and no others: every write is an event of its own, controllers
act a moment later, endpoints lag behind Pods, and nobody waits for the operator.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from immutablerelease.api.action import ActionKind, ActionSpec
from immutablerelease.api.release import ReleaseSpec
from immutablerelease.api.revision import (
    ContainerEvidence,
    FrozenConfig,
    ResolvedImage,
    RevisionStatus,
)
from immutablerelease.core.identity import content_hash
from immutablerelease.core.snapshot import (
    EVERY,
    ContainerView,
    PodView,
    Resolution,
    RouteRecord,
    Unresolved,
    VerdictView,
)
from immutablerelease.traffic.service import newest

from .apiserver import ApiServer
from .edge import Edge
from .objects import (
    NAME,
    ActionBody,
    DeploymentBody,
    HttpRouteBody,
    PodBody,
    ReleaseBody,
    ServiceBody,
    Stored,
    routed,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
# How long a Pod takes to go away once it is deleted.
TERMINATION = 2.0


@dataclass
class Behaviour:
    """How an image of the release behaves; tests turn it at any time."""

    signed: bool = True
    pullable: bool = True
    starts: bool = True
    start_seconds: float = 2.0
    crashes: bool = False
    probe_passes: bool = True
    # What Prometheus has of it.
    measured_well: bool = True

    @property
    def healthy(self) -> bool:
        """Whether it can serve."""
        return self.pullable and self.starts and not self.crashes and self.probe_passes


@dataclass
class _Life:
    """What the kubelet knows of a Pod."""

    created: datetime
    running_since: datetime
    restarts: int = 0
    gone_at: datetime | None = None


class Cluster(ApiServer):
    """Everything but the operator."""

    def __init__(self, spec: ReleaseSpec) -> None:
        super().__init__(START)
        self.behaviours: dict[str, Behaviour] = {}
        self.registry_up = True
        self.dependency_down_since: datetime | None = None
        self.prometheus_up = True
        self.endpoints_stuck = False
        self.edge = Edge()
        self.distrusted: set[str] = set()
        # Versions whose signatures cannot be read at the moment.
        self.unreachable: set[str] = set()
        # What the policies say of verifying again: after how many seconds, and what follows.
        self.reverify_every: float | None = None
        self.reverts_refused = False
        # Revisions that were verified, and by which policies.
        self.passed: set[tuple[str, str]] = set()
        self._policy = 1
        self._lives: dict[str, _Life] = {}
        # Image tags of revisions, also of those that were deleted.
        self._versions: dict[str, str] = {}
        self.create("Release", NAME, ReleaseBody(spec))

    # --- what is the case -----------------------------------------------------------------------

    @property
    def spec(self) -> ReleaseSpec:
        """The release's spec."""
        spec: ReleaseSpec = self.get("Release", NAME).body.spec
        return spec

    @property
    def policies(self) -> str:
        """Hash of all policies."""
        return f"policy-{self._policy}"

    @property
    def service(self) -> ServiceBody | None:
        """The Service of the release."""
        stored = self.find("Service", NAME)
        return stored.body if stored else None

    @property
    def record(self) -> RouteRecord | None:
        """Where the traffic is to go, by the newest word on it."""
        told = self.service.record if self.service else None
        return newest(told, self.http_route.record if self.http_route else None)

    @property
    def http_route(self) -> HttpRouteBody | None:
        """The HTTPRoute of the release."""
        stored = self.find("HTTPRoute", NAME)
        return stored.body if stored else None

    @property
    def selected(self) -> str | None:
        """The revision that really gets the traffic."""
        return self.service.selected if self.service else None

    def version_of(self, revision: str) -> str:
        """The image tag that a revision runs."""
        stored = self.find("Revision", revision)
        if stored is not None:
            self._versions[revision] = stored.body.spec.images[0].source.split(":")[1]
        return self._versions.get(revision, "")

    def revision_of(self, version: str) -> str | None:
        """The revision that runs an image tag."""
        for stored in self.all("Revision"):
            if self.version_of(stored.name) == version:
                return stored.name
        return None

    def status(self, revision: str) -> RevisionStatus:
        """Status of a revision."""
        status: RevisionStatus = self.get("Revision", revision).body.status
        return status

    def pods(self, revision: str) -> list[PodView]:
        """Pods of a revision that are not on their way out."""
        return [
            stored.body.view
            for stored in self.all("Pod")
            if stored.body.revision == revision and not stored.body.view.deleting
        ]

    def serving(self, revision: str) -> list[PodView]:
        """Pods of a revision that take traffic."""
        return [pod for pod in self.pods(revision) if pod.serving]

    def answers(self, uid: str) -> bool:
        """Whether a Pod passes every probe at this moment."""
        for stored in self.all("Pod"):
            if stored.body.view.uid == uid:
                behaviour = self.behaviour(stored.body.revision)
                running = not any(c.waiting for c in stored.body.view.containers)
                up = self.now >= self._lives[uid].running_since
                healthy = behaviour.probe_passes and self.dependency_down_since is None
                return bool(running and up and healthy and behaviour.starts)
        return False

    def measures(self, revision: str) -> bool | None:
        """What Prometheus says of a revision; None when it says nothing."""
        return self.behaviour(revision).measured_well if self.prometheus_up else None

    def behaviour(self, revision: str) -> Behaviour:
        """How a revision behaves."""
        return self.of_version(self.version_of(revision))

    def of_version(self, version: str) -> Behaviour:
        """How an image tag behaves."""
        return self.behaviours.setdefault(version, Behaviour())

    # --- registry and verifier ------------------------------------------------------------------

    def resolve(self) -> Resolution | Unresolved:
        """Resolve the release's template as it is now."""
        template = self.spec.template
        template_hash = content_hash({"template": template})
        if not self.registry_up:
            return Unresolved(template_hash, "RegistryUnreachable", "the registry is down")
        image = template["spec"]["containers"][0]["image"]
        digest = hashlib.sha256(image.encode()).hexdigest()
        resolved = f"{image.split(':')[0]}@sha256:{digest}"
        return Resolution(
            template_hash,
            {"spec": {"containers": [{"name": "app", "image": resolved}]}},
            (ResolvedImage(container="app", source=image, image=resolved),),
            (FrozenConfig(kind="ConfigMap", source="app", name=f"app-{digest[:10]}"),),
        )

    def verify(self, revision: str, policies: str) -> VerdictView:
        """Verify the images of a revision."""
        version = self.version_of(revision)
        if not self.registry_up or version in self.unreachable:
            return VerdictView("Unknown", "Unreachable", "registry is down", policies, self.now)
        every = self.reverify_every
        due = None if every is None else self.now + timedelta(seconds=every)
        if version in self.distrusted or not self.of_version(version).signed:
            return VerdictView(
                "Refused",
                "Unsigned",
                f"{version}: unsigned",
                policies,
                self.now,
                due=due,
                revert=self.reverts_refused,
            )
        image = self.get("Revision", revision).body.spec.images[0].image
        self.passed.add((revision, policies))
        evidence = ContainerEvidence(
            container="app",
            image=image,
            policy=policies,
            authority="team",
            signer="key",
            format="Bundle",
            signature="sha256:0",
        )
        return VerdictView(
            "Verified", "Verified", "signed", policies, self.now, (evidence,), due=due
        )

    # --- time and controllers -------------------------------------------------------------------

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass and every controller act once."""
        self.now += timedelta(seconds=seconds)
        self._collect_garbage()
        self._run_endpoints()
        if routed(self.spec):
            self.edge.mesh = self.spec.traffic.istio is not None
        self.edge.tick(self)
        for stored in self.all("Deployment"):
            self._run_deployment(stored)
        for stored in self.all("Pod"):
            self._run_pod(stored)

    def _collect_garbage(self) -> None:
        for stored in [
            *self.all("Deployment"),
            *self.all("RevisionService"),
            *self.all("Budget"),
            *self.all("DestinationRule"),
        ]:
            if self.find("Revision", stored.name) is None:
                self.delete(stored.kind, stored.name)
        for stored in self.all("Pod"):
            if self.find("Deployment", stored.body.revision) is None:
                self.terminate(stored)

    def _run_endpoints(self) -> None:
        if self.endpoints_stuck:
            return
        named = list(self.revisions()) if self.selected == EVERY else [self.selected or ""]
        ready = frozenset(pod.name for name in named for pod in self.serving(name))
        if self.find("Endpoints", NAME) is None:
            self.create("Endpoints", NAME, ready)
        self.write("Endpoints", NAME, ready, spec=False)

    def _run_deployment(self, stored: Stored) -> None:
        body: DeploymentBody = stored.body
        if body.observed != stored.generation:
            body = replace(body, observed=stored.generation)
            self.write("Deployment", stored.name, body, spec=False)
        pods = [
            pod
            for pod in self.all("Pod")
            if pod.body.revision == stored.name and not pod.body.view.deleting
        ]
        for _ in range(body.replicas - len(pods)):
            self._create_pod(stored.name)
        for pod in pods[body.replicas :]:
            self.terminate(pod)

    def _create_pod(self, revision: str) -> None:
        name = f"{revision}-{self._version}"
        start = self.behaviour(revision).start_seconds
        waiting = ContainerView("app", waiting="ContainerCreating")
        changed = self.now.replace(microsecond=0)
        view = PodView(
            name,
            name,
            None,
            ready=False,
            ready_changed_at=changed,
            containers=(waiting,),
            created=changed,
        )
        self._lives[name] = _Life(self.now, self.now + timedelta(seconds=start))
        self.create("Pod", name, PodBody(revision, view))

    def terminate(self, stored: Stored) -> None:
        """Delete a Pod gracefully."""
        view: PodView = stored.body.view
        if not view.deleting:
            self._lives[view.uid].gone_at = self.now + timedelta(seconds=TERMINATION)
            body = replace(stored.body, view=replace(view, deleting=True))
            self.write("Pod", stored.name, body, spec=False)

    def _run_pod(self, stored: Stored) -> None:
        life = self._lives[stored.body.view.uid]
        if life.gone_at is not None:
            if self.now >= life.gone_at:
                self.delete("Pod", stored.name)
            return
        view = self._observe_pod(stored.body, life)
        if view.ready != stored.body.view.ready:
            view = replace(view, ready_changed_at=self.now.replace(microsecond=0))
        self.write("Pod", stored.name, replace(stored.body, view=view), spec=False)

    def _observe_pod(self, body: PodBody, life: _Life) -> PodView:
        behaviour = self.behaviour(body.revision)
        container = replace(body.view.containers[0], restarts=life.restarts, waiting="")
        if not behaviour.pullable and self.now < life.running_since + timedelta(seconds=3600):
            return replace(
                body.view,
                ready=False,
                containers=(replace(container, waiting="ImagePullBackOff"),),
            )
        if behaviour.crashes:
            if life.running_since <= self.now:
                life.restarts += 1
                life.running_since = self.now + timedelta(seconds=10 * life.restarts)
            crashed = replace(
                container,
                restarts=life.restarts,
                waiting="CrashLoopBackOff" if life.restarts else "ContainerCreating",
                terminated="exit code 1" if life.restarts else "",
            )
            return replace(body.view, ready=False, containers=(crashed,))
        ready = behaviour.starts and self.now >= life.running_since
        return replace(body.view, ip="10.0.0.1", ready=ready, containers=(container,))

    # --- people ---------------------------------------------------------------------------------

    def change(self, **fields: Any) -> None:
        """Change fields of the release's spec."""
        stored = self.get("Release", NAME)
        spec = stored.body.spec.model_copy(update=fields)
        self.write("Release", NAME, replace(stored.body, spec=spec), spec=True)

    def deploy(self, version: str) -> None:
        """Commit a version."""
        self.change(template=template(version))

    def renumber(self, port: int) -> None:
        """Change the number of the port of the Services."""
        known = self.spec.service
        (first, *rest) = known.ports
        ports = (first.model_copy(update={"port": port}), *rest)
        self.change(service=known.model_copy(update={"ports": ports}))

    def reapply(self) -> None:
        """Apply the same manifest again; something that means nothing moves the generation."""
        stored = self.get("Release", NAME)
        self._version += 1
        self._store(replace(stored, version=self._version, generation=stored.generation + 1))

    def act(self, kind: ActionKind, revision: str | None = None, *, full: bool = False) -> str:
        """Create a ReleaseAction."""
        name = f"action-{self._version}"
        spec = ActionSpec(
            release=NAME, action=kind, revision=revision, full=full, reason="asked by a test"
        )
        self.create("Action", name, ActionBody(spec))
        return name

    def change_policy(self, *distrusted: str, revert: bool = False) -> None:
        """Replace the policies: these versions are trusted by nobody any more."""
        self.distrusted = set(distrusted)
        self.reverts_refused = revert
        self._policy += 1
        # What the operator hears of policies puts every release into its queue.
        self._version += 1
        self._store(replace(self.get("Release", NAME), version=self._version))

    def tamper_selector(self, revision: str | None) -> None:
        """Point the Service elsewhere, behind the operator's back."""
        if self.service is not None:
            self.write("Service", NAME, replace(self.service, selected=revision), spec=True)

    def tamper_weights(self, revision: str | None) -> None:
        """Change the weights of the HTTPRoute: all requests go to a revision, or to nothing."""
        if self.http_route is not None:
            body = replace(self.http_route, leads=(revision or "nothing",))
            self.write("HTTPRoute", NAME, body, spec=True)

    def tamper_ports(self) -> None:
        """Change the ports of the Service."""
        if self.service is not None:
            self.write("Service", NAME, replace(self.service, untouched=False), spec=True)

    def tamper_record(self, revision: str) -> None:
        """Forge the record of why the traffic goes where it goes."""
        if self.service is not None:
            record = RouteRecord(revision, "Promoted", "forged", self.now)
            self.write("Service", NAME, replace(self.service, record=record), spec=True)

    def tamper_replicas(self, revision: str, replicas: int) -> None:
        """Scale a Deployment, behind the operator's back."""
        stored = self.get("Deployment", revision)
        self.write("Deployment", revision, replace(stored.body, replicas=replicas), spec=True)

    def tamper_template(self, revision: str) -> None:
        """Change the template of a Deployment, behind the operator's back."""
        stored = self.get("Deployment", revision)
        self.write("Deployment", revision, replace(stored.body, template="tampered"), spec=True)

    def revisions(self) -> Iterator[str]:
        """Names of all revisions."""
        return (stored.name for stored in self.all("Revision"))


def template(version: str) -> dict[str, Any]:
    """The Pod template of a version."""
    return {"spec": {"containers": [{"name": "app", "image": f"shop:{version}"}]}}
