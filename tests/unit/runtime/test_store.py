"""A cache that no late event can turn back."""

import copy
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from immutablerelease.api.meta import RELEASE_LABEL
from immutablerelease.runtime.client import (
    ACTIONS,
    BUDGETS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    PODS,
    REVISIONS,
    SECRETS,
    SERVICES,
    Kind,
    Object,
)
from immutablerelease.runtime.store import Store, trim


def make(
    name: str = "shop-1",
    *,
    version: int = 1,
    uid: str = "u1",
    namespace: str = "web",
    release: str | None = "shop",
    **fields: Any,
) -> Object:
    metadata: Object = {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "resourceVersion": str(version),
    }
    if release is not None:
        metadata["labels"] = {RELEASE_LABEL: release}
    return {"metadata": metadata, **fields}


def kept(store: Store, kind: Kind = SERVICES) -> Object:
    """The object that `make` makes when it is given no name; it must be there."""
    found = store.get(kind, "web", "shop-1")
    assert found is not None
    return found


def names(objects: Iterable[Object]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def test_what_was_put_is_found_by_name_and_by_release() -> None:
    store = Store()
    assert store.put(SERVICES, make("a"))
    assert store.put(SERVICES, make("b", uid="u2", release="other"))
    assert store.get(SERVICES, "web", "a") == make("a")
    assert names(store.of_release(SERVICES, "web", "shop")) == ["a"]
    assert names(store.all(SERVICES)) == ["a", "b"]
    assert store.names(SERVICES, "web") == [("web", "a"), ("web", "b")]
    assert store.get(PODS, "web", "a") is None
    assert store.of_release(SERVICES, "elsewhere", "shop") == []
    assert store.all(SERVICES, "elsewhere") == []


@pytest.mark.parametrize("version", [4, 5], ids=["older", "the same"])
def test_a_version_that_is_no_news_changes_nothing(version: int) -> None:
    store = Store()
    store.put(SERVICES, make(version=5, spec={"new": True}))
    assert not store.put(SERVICES, make(version=version, spec={"new": False}))
    assert kept(store)["spec"] == {"new": True}


def test_versions_are_compared_as_numbers() -> None:
    store = Store()
    store.put(SERVICES, make(version=9))
    assert store.put(SERVICES, make(version=10))


def test_a_late_event_of_a_deleted_object_does_not_bring_it_back() -> None:
    store = Store()
    store.put(SERVICES, make(version=5))
    store.remove(SERVICES, make(version=8))
    assert not store.put(SERVICES, make(version=7))
    assert store.get(SERVICES, "web", "shop-1") is None
    assert store.of_release(SERVICES, "web", "shop") == []


def test_another_object_may_take_the_name_of_a_deleted_one() -> None:
    store = Store()
    store.put(SERVICES, make(version=5))
    store.remove(SERVICES, make(version=8))
    assert store.put(SERVICES, make(version=9, uid="u2"))


def test_a_late_deletion_of_the_former_holder_of_a_name_removes_nothing() -> None:
    store = Store()
    store.put(SERVICES, make(version=5))
    assert store.put(SERVICES, make(version=9, uid="u2"))
    store.remove(SERVICES, make(version=8))
    assert kept(store)["metadata"]["uid"] == "u2"
    assert not store.put(SERVICES, make(version=7)), "the former holder came back"
    store.remove(SERVICES, make(version=12, uid="u2"))
    assert not store.put(SERVICES, make(version=7)), "the former holder came back later"


def test_an_object_that_changes_its_release_is_found_by_the_new_one_only() -> None:
    store = Store()
    store.put(SERVICES, make(version=1))
    store.put(SERVICES, make(version=2, release="other"))
    assert store.of_release(SERVICES, "web", "shop") == []
    assert names(store.of_release(SERVICES, "web", "other")) == ["shop-1"]


@pytest.mark.parametrize("kind", [REVISIONS, ACTIONS], ids=lambda kind: kind.plural)
def test_the_operators_own_kinds_belong_to_the_release_that_their_spec_names(kind: Kind) -> None:
    store = Store()
    store.put(kind, make(release=None, spec={"release": "shop"}))
    assert names(store.of_release(kind, "web", "shop")) == ["shop-1"]


def test_what_a_full_list_does_not_hold_is_removed_and_returned() -> None:
    store = Store()
    store.put(SERVICES, make("a", uid="u1"))
    store.put(SERVICES, make("b", uid="u2"))
    store.put(SERVICES, make("c", uid="u3", namespace="elsewhere"))
    gone = store.prune(SERVICES, "web", [make("a", uid="u1")], since=store.mark())
    assert names(gone) == ["b"]
    assert names(store.all(SERVICES)) == ["a", "c"]
    assert not store.put(SERVICES, make("b", uid="u2", version=1)), "a ghost came back"


def test_no_late_event_of_what_a_list_did_not_hold_brings_it_back() -> None:
    store = Store()
    store.put(SERVICES, make("b", uid="u2", version=3))
    store.put(SERVICES, make("a", uid="u1", version=9))
    store.prune(SERVICES, "web", [make("a", uid="u1", version=9)], since=store.mark())
    assert not store.put(SERVICES, make("b", uid="u2", version=7))


def test_an_object_that_gets_back_the_label_it_is_watched_by_comes_back() -> None:
    store = Store()
    store.put(SERVICES, make(version=5))
    store.remove(SERVICES, make(version=8))
    assert store.put(SERVICES, make(version=9))
    store.remove(SERVICES, make(version=8))
    assert store.get(SERVICES, "web", "shop-1") is not None, "a late deletion removed it"


def test_an_object_that_appeared_after_the_list_was_asked_for_stays() -> None:
    store = Store()
    since = store.mark()
    store.put(SERVICES, make("young"))
    assert store.prune(SERVICES, None, [], since=since) == []
    assert names(store.all(SERVICES)) == ["young"]


def test_a_name_that_was_taken_over_is_pruned_for_its_former_holder() -> None:
    store = Store()
    store.put(SERVICES, make(uid="u1", version=5))
    listed = make(uid="u2", version=9)
    assert names(store.prune(SERVICES, "web", [listed], since=store.mark())) == ["shop-1"]
    assert store.put(SERVICES, listed)


def test_what_is_handed_out_is_the_callers_own() -> None:
    store = Store()
    given_in = make(spec={"list": [1]})
    store.put(SERVICES, given_in)
    given_in["spec"]["list"].append(2)
    kept(store)["spec"]["list"].append(3)
    assert kept(store)["spec"] == {"list": [1]}


def test_cluster_scoped_objects_have_no_namespace() -> None:
    store = Store()
    store.put(SERVICES, {"metadata": {"name": "a", "uid": "u", "resourceVersion": "1"}})
    assert store.get(SERVICES, "", "a") is not None


def test_deleted_uids_are_not_remembered_for_ever() -> None:
    store = Store()
    for number in range(10_000):
        store.remove(SERVICES, make(uid=f"u{number}"))
    assert len(store._table(SERVICES).deleted) == 8192


def test_trimming_drops_what_nobody_reads_and_leaves_the_original_alone() -> None:
    pod = make(
        spec={
            "nodeName": "n1",
            "volumes": [{}],
            "containers": [{"name": "c", "image": "i", "env": [], "ports": [{"name": "http"}]}],
        },
        status={"podIP": "10.0.0.1"},
    )
    pod["metadata"]["managedFields"] = [{}]
    pod["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "kept": "yes",
    }
    before = copy.deepcopy(pod)
    trimmed = trim(PODS, pod)
    assert pod == before
    assert "managedFields" not in trimmed["metadata"]
    assert trimmed["metadata"]["annotations"] == {"kept": "yes"}
    assert trimmed["spec"] == {
        "nodeName": "n1",
        "containers": [{"name": "c", "image": "i", "ports": [{"name": "http"}]}],
    }
    assert trimmed["status"] == {"podIP": "10.0.0.1"}


def test_contents_of_secrets_are_never_kept() -> None:
    store = Store()
    store.put(SECRETS, make(data={"password": "aHVudGVyMg=="}, type="Opaque"))
    assert "data" not in kept(store, SECRETS)


@given(st.permutations(range(8)))
def test_events_in_any_order_end_in_the_last_state(order: list[int]) -> None:
    """Object u1 lives through versions 1 to 4 and is deleted at 5; u2 takes its name at 6."""
    history = [("put", "u1", version) for version in (1, 2, 3, 4)]
    history += [("remove", "u1", 5)] + [("put", "u2", version) for version in (6, 7, 8)]
    store = Store()
    for index in order:
        verb, uid, version = history[index]
        obj = make(uid=uid, version=version)
        store.put(SERVICES, obj) if verb == "put" else store.remove(SERVICES, obj)
    found = kept(store)["metadata"]
    assert (found["uid"], found["resourceVersion"]) == ("u2", "8")


class StoreMachine(RuleBasedStateMachine):
    """A cluster changes; its events arrive late, twice and out of order; lists come in between."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.revision = 0
        self.live: dict[str, Object] = {}
        # What the watch does not show for the moment, because it lost its label.
        self.hidden: dict[str, Object] = {}
        self.events: list[tuple[str, Object]] = []
        # uid -> version with which it was removed
        self.removed: dict[str, int] = {}
        self.seen: dict[str, int] = {}

    @rule(name=st.sampled_from("ab"), release=st.sampled_from(["r1", "r2", None]))
    def change(self, name: str, release: str | None) -> None:
        self.revision += 1
        former = self.live.get(name) or self.hidden.pop(name, None)
        uid = former["metadata"]["uid"] if former else f"u{self.revision}"
        self.live[name] = make(name, uid=uid, version=self.revision, release=release)
        self.events.append(("put", self.live[name]))

    @rule(name=st.sampled_from("ab"), comes_back=st.booleans())
    def delete(self, name: str, comes_back: bool) -> None:
        if name not in self.live:
            return
        self.revision += 1
        obj = copy.deepcopy(self.live.pop(name))
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self.events.append(("remove", obj))
        if comes_back:
            self.hidden[name] = obj

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        if not self.events:
            return
        verb, obj = data.draw(st.sampled_from(self.events))
        if verb == "put":
            self.store.put(SERVICES, obj)
        else:
            self.store.remove(SERVICES, obj)
            self.record_removal(obj)

    @rule(between=st.booleans(), data=st.data())
    def resync(self, between: bool, data: st.DataObject) -> None:
        since = self.store.mark()
        listed = [copy.deepcopy(obj) for obj in self.live.values()]
        if between:
            self.change(data.draw(st.sampled_from("ab")), None)
            self.deliver(data)
        for obj in listed:
            self.store.put(SERVICES, obj)
        for obj in self.store.prune(SERVICES, None, listed, since=since):
            self.record_removal(obj)
        if not between:
            assert self.kept() == self.versions(self.live.values())

    def record_removal(self, obj: Object) -> None:
        (uid, version), *_ = self.versions([obj]).items()
        self.removed[uid] = max(version, self.removed.get(uid, 0))

    def kept(self) -> dict[str, int]:
        return self.versions(self.store.all(SERVICES))

    def versions(self, objects: Iterable[Object]) -> dict[str, int]:
        return {obj["metadata"]["uid"]: int(obj["metadata"]["resourceVersion"]) for obj in objects}

    @invariant()
    def nothing_removed_is_kept_and_nothing_goes_back(self) -> None:
        for uid, version in self.kept().items():
            assert version > self.removed.get(uid, 0)
            assert version >= self.seen.get(uid, 0)
            self.seen[uid] = version

    @invariant()
    def the_index_says_what_the_objects_say(self) -> None:
        for release in ("r1", "r2"):
            found = names(self.store.of_release(SERVICES, "web", release))
            labelled = [
                obj["metadata"]["name"]
                for obj in self.store.all(SERVICES)
                if obj["metadata"].get("labels", {}).get(RELEASE_LABEL) == release
            ]
            assert sorted(found) == sorted(labelled)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(stateful_step_count=30)


def test_objects_that_are_alike_take_little_room_and_come_out_as_they_went_in() -> None:
    store = Store()
    spec = {"containers": [{"name": f"c{number}", "image": f"r/{number}"} for number in range(40)]}
    made = [make(f"shop-{number}", uid=f"u{number}", spec=spec) for number in range(100)]
    for obj in made:
        store.put(SERVICES, obj)
    assert store.all(SERVICES) == made
    text = len(json.dumps(made))
    assert sum(len(entry.packed) for entry in store._table(SERVICES).entries.values()) < text / 20


def test_an_object_is_kept_though_it_is_like_none_before_it() -> None:
    store = Store()
    made = [make("small"), make("large", uid="u2", text="x" * 100_000), make("later", uid="u3")]
    for obj in made:
        store.put(SERVICES, obj)
    assert store.all(SERVICES) == made
    assert store.names_of_release(SERVICES, "web", "shop") == ("small", "large", "later")


def deployment(**status: Any) -> Object:
    return {"spec": {"replicas": 2}, "status": {"observedGeneration": 1, **status}}


def daemon_set(**status: Any) -> Object:
    return {"spec": {}, "status": {"observedGeneration": 1, **status}}


def budget(number: int | str) -> Object:
    return {"spec": {"maxUnavailable": number}, "status": {"disruptionsAllowed": number}}


def endpoint_slice(ready: bool, address: str = "10.0.0.1") -> Object:
    target = {"kind": "Pod", "name": "shop-1"}
    conditions = {"ready": ready}
    return {"endpoints": [{"addresses": [address], "conditions": conditions, "targetRef": target}]}


FAILURE = {"type": "ReplicaFailure", "status": "True", "message": "quota"}
PROGRESS = {"type": "Progressing", "status": "True", "lastUpdateTime": "now"}


@pytest.mark.parametrize(
    ("kind", "before", "after", "news"),
    [
        pytest.param(
            DEPLOYMENTS,
            deployment(),
            deployment(updatedReplicas=1, conditions=[PROGRESS]),
            False,
            id="a Deployment makes progress",
        ),
        pytest.param(
            DEPLOYMENTS,
            deployment(),
            deployment(availableReplicas=1),
            True,
            id="a Pod of a Deployment is available",
        ),
        pytest.param(
            DEPLOYMENTS,
            deployment(),
            deployment(observedGeneration=2),
            True,
            id="a Deployment is observed",
        ),
        pytest.param(
            DEPLOYMENTS,
            deployment(),
            deployment(conditions=[PROGRESS, FAILURE]),
            True,
            id="a Deployment can make no Pod",
        ),
        pytest.param(
            DEPLOYMENTS,
            deployment(),
            {**deployment(), "spec": {"replicas": 3}},
            True,
            id="somebody scales a Deployment",
        ),
        pytest.param(
            DAEMON_SETS,
            daemon_set(),
            daemon_set(updatedNumberScheduled=1),
            False,
            id="a DaemonSet makes progress",
        ),
        pytest.param(
            DAEMON_SETS,
            daemon_set(),
            daemon_set(desiredNumberScheduled=3),
            True,
            id="a DaemonSet is for more nodes",
        ),
        pytest.param(
            BUDGETS,
            budget(1),
            {**budget(1), "status": {}},
            False,
            id="a budget is counted anew",
        ),
        pytest.param(BUDGETS, budget(1), budget("10%"), True, id="a budget is changed"),
        pytest.param(
            ENDPOINT_SLICES,
            endpoint_slice(True),
            endpoint_slice(True, "10.0.0.2"),
            False,
            id="an endpoint has another address",
        ),
        pytest.param(
            ENDPOINT_SLICES,
            endpoint_slice(True),
            endpoint_slice(False),
            True,
            id="an endpoint is ready no more",
        ),
        pytest.param(
            SERVICES, {"spec": {}}, {"spec": {}}, True, id="any other version of a Service"
        ),
    ],
)
def test_what_changes_nothing_that_is_decided_on_is_no_news(
    kind: Kind, before: Object, after: Object, news: bool
) -> None:
    store = Store()
    assert store.put(kind, make(version=1, **before))
    assert store.put(kind, make(version=2, **after)) is news
    assert kept(store, kind)["metadata"]["resourceVersion"] == "2"


def test_another_object_of_the_same_content_and_name_is_news() -> None:
    store = Store()
    store.put(BUDGETS, make(version=1, uid="u1", **budget(1)))
    assert store.put(BUDGETS, make(version=2, uid="u2", **budget(1)))


def test_what_is_on_its_way_out_is_news() -> None:
    store = Store()
    store.put(DEPLOYMENTS, make(version=1, **deployment()))
    going = make(version=2, **deployment())
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert store.put(DEPLOYMENTS, going)
