"""Builds the snapshot of one release from the store; asks nobody."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

from pydantic import ValidationError

from immutablerelease.api.meta import ATTEMPT_LABEL, PROBE_LABEL, REVISION_LABEL
from immutablerelease.api.objects import Action, Revision
from immutablerelease.api.policy import Policy
from immutablerelease.api.release import Workload
from immutablerelease.core import terms
from immutablerelease.core.identity import content_hash
from immutablerelease.core.probing import WHOLE
from immutablerelease.core.shares import Router, router
from immutablerelease.core.snapshot import (
    ProbeStates,
    Resolution,
    Route,
    RouterView,
    Snapshot,
    Unresolved,
    VerdictView,
)
from immutablerelease.immutability.job import failed, state
from immutablerelease.traffic.backends import Backends
from immutablerelease.traffic.gateway import token
from immutablerelease.traffic.proof import Proof, Question
from immutablerelease.traffic.renderers import RENDERERS, Found
from immutablerelease.traffic.service import newest, recorded
from immutablerelease.verification.matching import policies_hash
from immutablerelease.verification.trust import NO_TRUST, Trust

from .children import is_ours
from .client import (
    ACTIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    POLICIES,
    SERVICES,
)
from .kept import Kept
from .key import Key
from .reading import Reader
from .routers import BESIDE, ROUTES
from .routing import route_name
from .store import Store

Object = Mapping[str, Any]

# Namespaces for which it is known what their policies say, by a hash.
_NAMESPACES: Final = 1024


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

    def unrouted(self, key: Key, route: str) -> tuple[str, bool]:
        """Why the API server goes on refusing a route, and whether its write is held back."""

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
        self._reader = Reader(store)
        self._said: Kept[str] = Kept(_NAMESPACES)
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
        return self._reader.labels(namespace)

    def snapshot(self, key: Key) -> Snapshot | None:
        """What is known of a release now; None when it does not exist."""
        reader = self._reader
        release = reader.release(key)
        if release is None:
            return None
        revisions = reader.revisions(key)
        by_node = release.spec.workload is Workload.DAEMON_SET
        workloads = DAEMON_SETS if by_node else DEPLOYMENTS
        pending, answered = self._actions(key)
        snapshot = Snapshot(
            release=release,
            template_hash=reader.template_hash(key, release),
            revisions=revisions,
            deployments=reader.workloads(key, workloads, revisions),
            pods=reader.pods(key, self._daemon_sets(key) if by_node else None),
            probes=self._probe_states(key, revisions),
            route=reader.route(key, release),
            services=frozenset(self._store.names_of_release(SERVICES, *key)) - {key.name},
            budgets=reader.budgets(key),
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
            meshed=frozenset(self._beside(Router.ISTIO, key)),
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
        view = renderer.view(snapshot.release, found, backends)
        refused, held = self._findings.unrouted(key, route_name(snapshot.release, asked))
        return replace(view, refused=refused, held=held) if refused or held else view

    def _outdated(self, key: Key, snapshot: Snapshot) -> frozenset[str]:
        there = self._reader.ports(key)
        return frozenset(
            name
            for name in snapshot.revisions.keys() & there.keys()
            # What somebody added leads to the same Pods.
            if not there[name].issuperset(terms.ports(snapshot, name))
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
        policies, labels, trust = self.policies(), self.namespace_labels(namespace), self._trust()

        def said() -> str:
            matching = policies_hash(policies.readable, namespace, labels, trust)
            unreadable = policies.unreadable
            return content_hash([matching, *unreadable]) if unreadable else matching

        return self._said.of(namespace, (policies, labels, trust), said)

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

    def _daemon_sets(self, key: Key) -> frozenset[str]:
        """The uids of those that stay."""
        return frozenset(
            obj["metadata"]["uid"]
            for obj in self._store.of_release(DAEMON_SETS, *key)
            if "deletionTimestamp" not in obj["metadata"]
        )

    def _actions(self, key: Key) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
        """Those to answer, the oldest first, and those that were, the oldest answer first."""
        actions = [Action.read(obj) for obj in self._store.of_release(ACTIONS, *key)]
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
