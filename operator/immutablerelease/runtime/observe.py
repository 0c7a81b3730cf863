"""Builds the snapshot of one release from the store; asks nobody."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

from pydantic import ValidationError

from immutablerelease.api.meta import ATTEMPT_LABEL, PROBE_LABEL, REVISION_LABEL
from immutablerelease.api.objects import Action, Release, Revision
from immutablerelease.api.policy import Policy
from immutablerelease.api.release import Workload
from immutablerelease.core import terms
from immutablerelease.core.identity import content_hash
from immutablerelease.core.probing import WHOLE
from immutablerelease.core.shares import Router, router
from immutablerelease.core.snapshot import (
    DeploymentView,
    PodView,
    ProbeStates,
    Resolution,
    Route,
    RouterView,
    Snapshot,
    Unresolved,
    VerdictView,
)
from immutablerelease.immutability.job import failed, job_templates, state
from immutablerelease.traffic.backends import Backends
from immutablerelease.traffic.gateway import token
from immutablerelease.traffic.proof import Proof, Question
from immutablerelease.traffic.renderers import RENDERERS, Found
from immutablerelease.traffic.service import newest, offers, read_route, recorded
from immutablerelease.verification.matching import policies_hash
from immutablerelease.verification.trust import NO_TRUST, Trust

from .children import is_ours
from .client import (
    ACTIONS,
    BUDGETS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    JOBS,
    NAMESPACES,
    PODS,
    POLICIES,
    RELEASES,
    REVISIONS,
    SERVICES,
    Kind,
)
from .key import Key
from .pods import pod_view
from .routers import BESIDE, ROUTES
from .store import Store
from .workloads import daemon_set_view, deployment_view, left_behind

Object = Mapping[str, Any]

# Revisions kept parsed: those of releases that change at the moment. One takes some 20 KiB.
_PARSED: Final = 512


class Findings(Protocol):
    """What this process found out about a release, besides what the cluster holds."""

    def resolution(self, key: Key) -> Resolution | Unresolved | None:
        """Result of resolving its template."""

    def verdicts(self, key: Key) -> Mapping[str, VerdictView]:
        """Verdicts on its revisions."""

    def conflicts(self, key: Key) -> tuple[str, ...]:
        """Objects that stand in the way."""

    def refusals(self, key: Key) -> Mapping[str, str]:
        """What the API server refused, by revision."""

    def proof(self, key: Key) -> Proof | None:
        """What was found out of how its gateways route."""

    def installed(self, router: Router) -> bool:
        """Whether the cluster has the kinds of a router."""

    def words(self, key: Key, uid: str) -> str | None:
        """What a failed Job's Pod said last."""


class Probes(Protocol):
    """Where the states of probes come from."""

    def states(self, key: Key) -> Mapping[str, ProbeStates]:
        """By revision, Pod and probe."""


@dataclass(frozen=True)
class Policies:
    """All policies, with those that this version of the operator cannot read.

    Nothing is verified while there is one: nobody knows what it would refuse. What serves is
    guarded all the same.
    """

    readable: tuple[Policy, ...]
    unreadable: tuple[str, ...] = ()


class Observer:
    """Reads snapshots from the store."""

    def __init__(
        self,
        store: Store,
        findings: Findings,
        probes: Probes,
        trust: Callable[[], Trust] = lambda: NO_TRUST,
    ) -> None:
        """`trust` gives what policies refer to, as it was read last."""
        self._trust = trust
        self._store = store
        self._findings = findings
        self._probes = probes
        # By uid, with the resourceVersion, the last used last: parsing costs more than all the rest
        # of a snapshot.
        self._parsed: OrderedDict[str, tuple[str, Revision]] = OrderedDict()
        self._hashes: dict[str, tuple[int, str]] = {}
        # As they were read last, and of which versions.
        self._policies_read = Policies(())
        self._policies_at: frozenset[tuple[str, int]] = frozenset()

    def policies(self) -> Policies:
        """All policies of the cluster."""
        versions = self._store.versions(POLICIES)
        if self._policies_at != versions:
            self._policies_read, self._policies_at = self._read_policies(), versions
        return self._policies_read

    def _read_policies(self) -> Policies:
        readable, unreadable = [], []
        for obj in self._store.all(POLICIES):
            try:
                readable.append(Policy.read(obj))
            except ValidationError as error:
                unreadable.append(f"ReleasePolicy {obj['metadata']['name']}: {error}")
        return Policies(tuple(readable), tuple(unreadable))

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """Labels of a namespace."""
        obj = self._store.get(NAMESPACES, "", namespace)
        return (obj or {}).get("metadata", {}).get("labels") or {}

    def snapshot(self, key: Key) -> Snapshot | None:
        """What is known of a release now; None when it does not exist."""
        obj = self._store.get(RELEASES, key.namespace, key.name)
        if obj is None:
            return None
        release = Release.read(obj)
        revisions = self._revisions(key)
        by_node = release.spec.workload is Workload.DAEMON_SET
        pods = self._pods(key, self._daemon_sets(key) if by_node else None)
        pending, answered = self._actions(key)
        snapshot = Snapshot(
            release=release,
            template_hash=self._template_hash(release),
            revisions=revisions,
            deployments=self._workloads(key, DAEMON_SETS if by_node else DEPLOYMENTS, revisions),
            pods=pods,
            probes=self._probe_states(key, revisions),
            route=read_route(
                release, self._ours(key), self._store.of_release(ENDPOINT_SLICES, *key)
            ),
            services=frozenset(self._store.names_of_release(SERVICES, *key)) - {key.name},
            budgets=self._budgets(key),
            actions=pending,
            answered=answered,
            policies=self._policies(key.namespace),
            resolution=self._findings.resolution(key),
            verdicts=self._findings.verdicts(key),
            conflicts=self._findings.conflicts(key),
            refusals=self._findings.refusals(key),
            frozen=_frozen(revisions.values()),
        )
        return replace(
            snapshot,
            route=self._with_routers(key, snapshot),
            outdated=self._outdated(key, snapshot),
        )

    def question(self, key: Key, snapshot: Snapshot) -> Question | None:
        """What is to be proven of its HTTPRoute, if there is one to be asked for."""
        route, gateway = self._routed(Router.GATEWAY, key), snapshot.release.spec.traffic.gateway
        seen = snapshot.route.router
        if route is None or gateway is None or seen.record is None or not seen.faithful:
            return None
        return Question(token(route), key.namespace, gateway)

    def _with_routers(self, key: Key, snapshot: Snapshot) -> Route:
        """The newest record of the Service and of what routers go by is the truth."""
        asked = router(snapshot.release)
        there = {one: self._routed(one, key) for one in ROUTES if self._findings.installed(one)}
        told = [recorded(obj) for obj in there.values() if obj is not None]
        left = any(obj is not None for one, obj in there.items() if one is not asked)
        record = newest(snapshot.route.record, *told)
        return replace(
            snapshot.route,
            record=record,
            router=self._view(key, snapshot, asked) if asked is not None else RouterView(),
            leftover=left,
            behind=record != snapshot.route.record,
        )

    def _view(self, key: Key, snapshot: Snapshot, asked: Router) -> RouterView:
        renderer = RENDERERS[asked]
        if not self._findings.installed(asked):
            return RouterView(installed=False, message=renderer.missing)
        backends = Backends(lambda name: terms.ports(snapshot, name), snapshot.services)
        found = Found(
            self._routed(asked, key),
            self._findings.proof(key),
            beside=self._beside(asked, key),
            revisions=snapshot.revisions,
        )
        return renderer.view(snapshot.release, found, backends)

    def _outdated(self, key: Key, snapshot: Snapshot) -> frozenset[str]:
        services = {obj["metadata"]["name"]: obj for obj in self._store.of_release(SERVICES, *key)}
        return frozenset(
            name
            for name in snapshot.revisions.keys() & services.keys()
            if not offers(services[name], terms.ports(snapshot, name))
        )

    def _routed(self, router: Router, key: Key) -> Object | None:
        obj = self._store.get(ROUTES[router], key.namespace, key.name)
        return obj if obj and is_ours(obj) else None

    def _beside(self, router: Router, key: Key) -> dict[str, Object]:
        if router not in BESIDE:
            return {}
        there = self._store.of_release(BESIDE[router], *key)
        return {obj["metadata"]["name"]: obj for obj in there if is_ours(obj)}

    def _policies(self, namespace: str) -> str:
        policies = self.policies()
        labels = self.namespace_labels(namespace)
        matching = policies_hash(policies.readable, namespace, labels, self._trust())
        return content_hash([matching, *policies.unreadable]) if policies.unreadable else matching

    def _template_hash(self, release: Release) -> str:
        metadata = release.metadata
        known = self._hashes.get(metadata.uid)
        if known is None or known[0] != metadata.generation:
            live = release.spec.config.wire() if release.spec.config.live else {}
            jobs = job_templates(release)
            text = content_hash({"template": release.spec.template, "config": live, "jobs": jobs})
            known = (metadata.generation, text)
            self._hashes[metadata.uid] = known
        return known[1]

    def _probe_states(
        self, key: Key, revisions: Mapping[str, Revision]
    ) -> Mapping[str, ProbeStates]:
        """What the prober counted, and what became of the jobs of each revision's attempt."""
        found = {name: dict(states) for name, states in self._probes.states(key).items()}
        for live in self._store.of_release(JOBS, *key):
            labels = live["metadata"].get("labels") or {}
            name = labels.get(REVISION_LABEL, "")
            revision, probe = revisions.get(name), labels.get(PROBE_LABEL)
            if revision is None or probe is None or not is_ours(live):
                continue
            if labels.get(ATTEMPT_LABEL) != str(revision.status.attempt):
                continue
            words = self._findings.words(key, live["metadata"]["uid"]) or ""
            states = found.setdefault(name, {})
            states[WHOLE] = {**states.get(WHOLE, {}), probe: state(live, words)}
        return found

    def failed_jobs(self, key: Key) -> list[Object]:
        """Jobs of probes that failed."""
        return [live for live in self._store.of_release(JOBS, *key) if failed(live)]

    def _revisions(self, key: Key) -> dict[str, Revision]:
        found = {}
        for obj in self._store.of_release(REVISIONS, *key):
            metadata = obj["metadata"]
            if "deletionTimestamp" in metadata:
                continue
            found[metadata["name"]] = self._parse(obj)
        return found

    def _parse(self, obj: Object) -> Revision:
        uid, version = obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]
        known = self._parsed.get(uid)
        if known is None or known[0] != version:
            known = (version, Revision.read(obj))
            self._parsed[uid] = known
            if len(self._parsed) > _PARSED:
                self._parsed.popitem(last=False)
        self._parsed.move_to_end(uid)
        return known[1]

    def forget(self, uids: Iterable[str]) -> None:
        """Drop what was parsed of objects that are gone."""
        for uid in uids:
            self._parsed.pop(uid, None)
            self._hashes.pop(uid, None)

    def _workloads(
        self, key: Key, kind: Kind, revisions: Mapping[str, Revision]
    ) -> dict[str, DeploymentView]:
        view = daemon_set_view if kind is DAEMON_SETS else deployment_view
        found = {}
        for obj in self._store.of_release(kind, *key):
            name = obj["metadata"]["name"]
            if "deletionTimestamp" not in obj["metadata"]:
                found[name] = view(obj, revisions.get(name))
        return found

    def _daemon_sets(self, key: Key) -> frozenset[str]:
        """The uids of those that stay."""
        return frozenset(
            obj["metadata"]["uid"]
            for obj in self._store.of_release(DAEMON_SETS, *key)
            if "deletionTimestamp" not in obj["metadata"]
        )

    def _budgets(self, key: Key) -> dict[str, int | str | None]:
        return {
            obj["metadata"]["name"]: obj["spec"].get("maxUnavailable")
            for obj in self._store.of_release(BUDGETS, *key)
            if "deletionTimestamp" not in obj["metadata"]
        }

    def _pods(self, key: Key, daemon_sets: frozenset[str] | None) -> dict[str, tuple[PodView, ...]]:
        found: dict[str, list[PodView]] = {}
        for obj in self._store.of_release(PODS, *key):
            revision = obj["metadata"]["labels"].get(REVISION_LABEL)
            if revision and obj.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
                view = pod_view(obj)
                if daemon_sets is not None and left_behind(obj, daemon_sets):
                    view = replace(view, deleting=True)
                found.setdefault(revision, []).append(view)
        return {name: tuple(sorted(pods, key=lambda pod: pod.name)) for name, pods in found.items()}

    def _ours(self, key: Key) -> Object | None:
        obj = self._store.get(SERVICES, key.namespace, key.name)
        return obj if obj and is_ours(obj) else None

    def _actions(self, key: Key) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
        """Those to answer, the oldest first, and those that were, the oldest answer first."""
        actions = [
            Action.read(obj)
            for obj in self._store.all(ACTIONS, key.namespace)
            if obj["spec"]["release"] == key.name
        ]
        oldest = datetime.fromtimestamp(0).astimezone()
        actions.sort(key=lambda item: (item.metadata.created or oldest, item.metadata.name))
        answered = [action for action in actions if action.status.completed_at is not None]
        answered.sort(key=lambda item: item.status.completed_at or oldest)
        pending = tuple(action for action in actions if action.status.completed_at is None)
        return pending, tuple(answered)


def _frozen(revisions: Iterable[Revision]) -> frozenset[str]:
    return frozenset(
        f"{config.kind}/{config.name}" for revision in revisions for config in revision.spec.config
    )
