"""What costs much to read is read once, and never kept beyond its time or without a bound."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from immutablerelease.api.meta import MANAGED_BY_LABEL, MANAGER, RELEASE_LABEL, REVISION_LABEL
from immutablerelease.api.objects import Revision
from immutablerelease.api.policy import Policy
from immutablerelease.core.identity import content_hash
from immutablerelease.core.snapshot import Snapshot
from immutablerelease.runtime import observe, reading
from immutablerelease.runtime.client import (
    BUDGETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    NAMESPACES,
    PODS,
    POLICIES,
    RELEASES,
    REVISIONS,
    SERVICES,
    Kind,
    Object,
)
from immutablerelease.runtime.controller import Memory
from immutablerelease.runtime.key import Key
from immutablerelease.runtime.observe import Observer
from immutablerelease.runtime.store import Store, _Table
from immutablerelease.verification.trust import NO_TRUST, Trust
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import KEY, Instant, Operator, manifest, template

POLICY_SPEC = {
    "match": {"namespaces": ["*"], "images": ["**"]},
    "mode": "Enforce",
    "unsafeAllowUnsigned": True,
}


def policy(name: str, version: int, spec: Mapping[str, Any] = POLICY_SPEC) -> Object:
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": dict(spec)}


def release(name: str, version: int) -> list[tuple[Any, Object]]:
    """A release with one revision."""

    def metadata(name: str) -> Object:
        named = {"name": name, "namespace": "demo", "uid": f"uid-{name}"}
        return {**named, "resourceVersion": str(version), "generation": 1}

    image = f"app@sha256:{'1' * 64}"
    spec = {
        "release": name,
        "number": 1,
        "generation": 1,
        "templateHash": "h1",
        "template": {"spec": {}},
        "images": [{"container": "app", "source": "app:v1", "image": image}],
    }
    return [
        (RELEASES, {"metadata": metadata(name), "spec": manifest()["spec"]}),
        (REVISIONS, {"metadata": metadata(f"{name}-1"), "spec": spec}),
    ]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def observer(store: Store) -> Observer:
    return Observer(store, Memory(), Instant())


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each object was parsed, by name."""
    counts: Counter[str] = Counter()
    for model in (Policy, Revision):
        parse = model.read

        def counted(obj: Mapping[str, Any], *more: Any, parse: Any = parse) -> Any:
            counts[obj["metadata"]["name"]] += 1
            return parse(obj, *more)

        monkeypatch.setattr(model, "read", counted)
    return counts


def test_policies_are_read_once_until_one_of_them_changes(
    store: Store, observer: Observer, read: Counter[str]
) -> None:
    assert observer.policies().readable == ()
    store.put(POLICIES, policy("a", 1))
    for _ in range(3):
        assert [one.metadata.name for one in observer.policies().readable] == ["a"]
    assert read == {"a": 1}
    store.put(POLICIES, policy("b", 2))
    assert [one.metadata.name for one in observer.policies().readable] == ["a", "b"]
    store.put(POLICIES, policy("a", 3, {**POLICY_SPEC, "mode": "Audit"}))
    assert {one.spec.mode for one in observer.policies().readable} == {"Enforce", "Audit"}


def test_a_policy_that_is_gone_or_cannot_be_read_any_more_holds_no_longer(
    store: Store, observer: Observer
) -> None:
    store.put(POLICIES, policy("a", 1))
    assert len(observer.policies().readable) == 1
    store.put(POLICIES, policy("a", 2, {"mode": "Unheard"}))
    assert (observer.policies().readable, len(observer.policies().unreadable)) == ((), 1)
    store.remove(POLICIES, policy("a", 3))
    assert observer.policies() == observe.Policies(())


def test_revisions_are_kept_parsed_only_while_few_others_were_looked_at_since(
    store: Store, read: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LARGE", 2)
    observer = Observer(store, Memory(), Instant())
    for name in ("a", "b", "c"):
        for kind, obj in release(name, 1):
            store.put(kind, obj)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert observer.snapshot(Key("demo", name)) is not None
    assert read == {"a-1": 1, "b-1": 2, "c-1": 1}


def changed(obj: Object, version: int, **fields: Any) -> Object:
    """The object in a later version, with these fields and a generation of its own."""
    metadata = {**obj["metadata"], "resourceVersion": str(version), "generation": version}
    return {**obj, **fields, "metadata": metadata}


def seen(observer: Observer) -> Snapshot:
    snapshot = observer.snapshot(KEY)
    assert snapshot is not None
    return snapshot


@pytest.fixture
def objects(store: Store, observer: Observer) -> dict[Kind, Object]:
    """One object of each kind, all of them read once already."""
    labels = {
        RELEASE_LABEL: "shop",
        REVISION_LABEL: "shop-1",
        MANAGED_BY_LABEL: MANAGER,
        "kubernetes.io/service-name": "shop",
    }

    def metadata(name: str) -> Object:
        named = {"name": name, "namespace": "demo", "uid": f"uid-{name}", "labels": labels}
        return {**named, "resourceVersion": "1", "generation": 1}

    service = {
        "selector": {RELEASE_LABEL: "shop"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
    }
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    target = {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "pod"}}
    made: dict[Kind, Object] = {
        **dict(release("shop", 1)),
        DEPLOYMENTS: {
            "metadata": metadata("shop-1"),
            "spec": {"replicas": 1, "template": {"metadata": {"labels": labels}, "spec": {}}},
        },
        PODS: {
            "metadata": metadata("pod"),
            "spec": {},
            "status": {"podIP": "10.0.0.1", "conditions": [ready]},
        },
        SERVICES: {"metadata": metadata("shop"), "spec": service},
        ENDPOINT_SLICES: {"metadata": metadata("slice"), "endpoints": [target]},
        BUDGETS: {"metadata": metadata("shop-1"), "spec": {"maxUnavailable": 1}},
        POLICIES: policy("a", 1),
        NAMESPACES: {
            "metadata": {"name": "demo", "uid": "n", "resourceVersion": "1", "labels": {"a": "b"}}
        },
    }
    for kind, obj in made.items():
        store.put(kind, obj)
    seen(observer)
    return made


def test_what_is_as_it_was_is_not_opened_again(
    objects: dict[Kind, Object], observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(observer)
    monkeypatch.setattr(_Table, "open", lambda *_: pytest.fail("an object was opened"))
    assert seen(observer) == before


CHANGES: dict[str, tuple[Kind, Object, Callable[[Snapshot], object], object]] = {
    "the spec of the release": (
        RELEASES,
        {"spec": {**manifest()["spec"], "replicas": 9}},
        lambda snapshot: snapshot.release.spec.replicas,
        9,
    ),
    "the status of the release": (
        RELEASES,
        {"status": {"activeRevision": "shop-1"}},
        lambda snapshot: snapshot.release.status.active_revision,
        "shop-1",
    ),
    "the template of the release": (
        RELEASES,
        {"spec": manifest("v2")["spec"]},
        lambda snapshot: snapshot.template_hash,
        content_hash({"template": template("v2"), "config": {}, "jobs": {}}),
    ),
    "the status of a revision": (
        REVISIONS,
        {"status": {"message": "serves"}},
        lambda snapshot: snapshot.revisions["shop-1"].status.message,
        "serves",
    ),
    "the size of a Deployment": (
        DEPLOYMENTS,
        {"spec": {"replicas": 4, "template": {}}},
        lambda snapshot: snapshot.deployments["shop-1"].replicas,
        4,
    ),
    "the end of a Pod": (
        PODS,
        {"status": {"phase": "Failed"}},
        lambda snapshot: snapshot.pods,
        {},
    ),
    "the selector of the Service": (
        SERVICES,
        {"spec": {"selector": {"app": "else"}}},
        lambda snapshot: snapshot.route.selected,
        None,
    ),
    "the ports of the Service": (
        SERVICES,
        {"spec": {"selector": {RELEASE_LABEL: "shop"}, "ports": []}},
        lambda snapshot: snapshot.route.ports,
        (),
    ),
    "what is ready behind the Service": (
        ENDPOINT_SLICES,
        {"endpoints": []},
        lambda snapshot: snapshot.route.endpoints,
        frozenset(),
    ),
    "a budget": (
        BUDGETS,
        {"spec": {"maxUnavailable": "50%"}},
        lambda snapshot: snapshot.budgets,
        {"shop-1": "50%"},
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen_by_the_next_decision(
    objects: dict[Kind, Object], store: Store, observer: Observer, what: str
) -> None:
    kind, fields, look, expected = CHANGES[what]
    assert look(seen(observer)) != expected
    store.put(kind, changed(objects[kind], 2, **fields))
    assert look(seen(observer)) == expected


@pytest.mark.parametrize("kind", [REVISIONS, DEPLOYMENTS, BUDGETS], ids=lambda kind: kind.plural)
def test_what_is_being_deleted_is_as_good_as_gone(
    objects: dict[Kind, Object], store: Store, observer: Observer, kind: Kind
) -> None:
    going = changed(objects[kind], 2)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    store.put(kind, going)
    snapshot = seen(observer)
    left = {
        REVISIONS: snapshot.revisions,
        DEPLOYMENTS: snapshot.deployments,
        BUDGETS: snapshot.budgets,
    }
    assert left[kind] == {}


def test_another_object_of_the_same_name_and_version_is_read_anew(
    objects: dict[Kind, Object], store: Store, observer: Observer
) -> None:
    store.remove(RELEASES, objects[RELEASES])
    assert observer.snapshot(KEY) is None
    other = {**objects[RELEASES], "spec": {**manifest()["spec"], "replicas": 7}}
    other["metadata"] = {**other["metadata"], "uid": "another"}
    store.put(RELEASES, other)
    assert seen(observer).release.spec.replicas == 7


def test_a_deployment_is_held_against_the_revision_that_is_there(
    objects: dict[Kind, Object], store: Store, observer: Observer
) -> None:
    assert seen(observer).deployments["shop-1"].intact
    store.remove(REVISIONS, objects[REVISIONS])
    another = changed(objects[REVISIONS], 2)
    another["metadata"]["uid"] = "another"
    another["spec"] = {**another["spec"], "template": {"spec": {"hostNetwork": True}}}
    store.put(REVISIONS, another)
    assert not seen(observer).deployments["shop-1"].intact


def test_the_hash_of_policies_follows_policies_labels_and_what_they_refer_to(
    objects: dict[Kind, Object], store: Store
) -> None:
    trust = [NO_TRUST]
    observer = Observer(store, Memory(), Instant(), lambda: trust[0])
    spec = {
        **POLICY_SPEC,
        "match": {"images": ["**"], "namespaceSelector": {"matchLabels": {"a": "b"}}},
        "authorities": [{"name": "team", "key": {"secretRef": {"name": "key", "key": "pub"}}}],
    }
    del spec["unsafeAllowUnsigned"]
    hashes = [seen(observer).policies]
    store.put(POLICIES, policy("a", 2, spec))
    hashes.append(seen(observer).policies)
    trust[0] = Trust(secrets={("key", "pub"): "PEM"})
    hashes.append(seen(observer).policies)
    labels = changed(objects[NAMESPACES], 2)
    labels["metadata"]["labels"] = {"a": "c"}
    store.put(NAMESPACES, labels)
    hashes.append(seen(observer).policies)
    assert len(set(hashes)) == len(hashes)


async def test_after_two_versions_what_is_kept_is_what_a_new_process_reads() -> None:
    cluster, outside = FakeCluster(), Instant()
    cluster.put(RELEASES, manifest(keepWarm="1s", health={"bake": "1s"}))
    operator = Operator(cluster, outside)
    for version in ("v1", "v2"):
        cluster.change(template=template(version))
        await operator.run()
        await operator.run(15)
        fresh = Observer(operator.store, operator.observer._findings, outside)
        assert operator.observer.snapshot(KEY) == fresh.snapshot(KEY)
