"""What costs much to read is read once, and never kept beyond its time or without a bound."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from immutablerelease.api.objects import Revision
from immutablerelease.api.policy import Policy
from immutablerelease.runtime import observe
from immutablerelease.runtime.client import POLICIES, RELEASES, REVISIONS, Object
from immutablerelease.runtime.controller import Memory
from immutablerelease.runtime.key import Key
from immutablerelease.runtime.observe import Observer
from immutablerelease.runtime.store import Store
from tests.unit.shell.harness import Instant, manifest

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

        def counted(obj: Mapping[str, Any], parse: Any = parse) -> Any:
            counts[obj["metadata"]["name"]] += 1
            return parse(obj)

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
    store: Store, observer: Observer, read: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "_PARSED", 2)
    for name in ("a", "b", "c"):
        for kind, obj in release(name, 1):
            store.put(kind, obj)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert observer.snapshot(Key("demo", name)) is not None
    assert read == {"a-1": 1, "b-1": 2, "c-1": 1}
