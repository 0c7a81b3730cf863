"""The policies of the chart in force, and releases to try them on.

A policy takes effect about a second after it was written: what is waited for is a refusal.
"""

import json
from collections.abc import Iterator

import pytest

from tests.api.chart import NAMESPACE_OBJECT, Manifest, apply, delete, render
from tests.api.enforcement.attempts import Attempt
from tests.api.enforcement.people import MASTER
from tests.api.enforcement.stage import FAKE_KUBELET, Stage, enforced_namespace, release_into
from tests.api.kubectl import Kubectl, Refused
from tests.waiting import eventually

MISSPELLED: Manifest = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "misspelled", "labels": {"immutablerelease.io/enforce": "yes"}},
}


@pytest.fixture(scope="session")
def enforced(mesh: Kubectl) -> Iterator[Kubectl]:
    """The chart without its Pod, its policies active; all of it is gone afterwards."""
    kubectl, trusted = mesh, json.dumps([FAKE_KUBELET])
    documents = render(
        "replicas=0", "crds.enabled=false", f"enforcement.trusted.podStatus={trusted}"
    )
    # The binding that is waited for comes last, so the others are active as well.
    documents.sort(key=lambda one: one["metadata"]["name"].startswith("enforce-label"))
    apply(kubectl, [NAMESPACE_OBJECT, *documents])
    eventually(lambda: _refused(kubectl, MISSPELLED), "the policies are active", 30)
    yield kubectl
    # Bindings first: without them the label of the namespace holds nothing back.
    delete(kubectl, [one for one in documents if one["kind"].endswith("PolicyBinding")])
    delete(kubectl, [*documents, NAMESPACE_OBJECT])


@pytest.fixture(scope="session", params=["releases", "all"])
def stage(request: pytest.FixtureRequest, enforced: Kubectl) -> Iterator[Stage]:
    """A release in a namespace of each mode, shared by tests that change nothing."""
    yield from _stage(enforced, request.param)


@pytest.fixture(scope="session")
def stage_of_all(enforced: Kubectl) -> Iterator[Stage]:
    """A release in a namespace of mode `all`, shared by tests that change nothing."""
    yield from _stage(enforced, "all")


@pytest.fixture(params=["releases", "all"])
def own_stage(request: pytest.FixtureRequest, enforced: Kubectl) -> Iterator[Stage]:
    """A release of the test's own in a namespace of each mode."""
    yield from _stage(enforced, request.param)


def refusal(kubectl: Kubectl, attempt: Attempt, names: dict[str, str], who: tuple[str, ...]) -> str:
    """What the policy of the attempt says to it; in mode `all` another one may be quicker."""
    with pytest.raises(Refused) as refused:
        attempt.run(kubectl, names, who)
    said = str(refused.value)
    policies = (attempt.policy, "only-releases")
    assert any(f"'{policy}.immutablerelease.io'" in said for policy in policies), said
    return said.partition("denied request: ")[2].strip()


def _stage(enforced: Kubectl, mode: str) -> Iterator[Stage]:
    kubectl = enforced_namespace(enforced, mode)
    yield release_into(kubectl)
    kubectl("delete", "namespace", kubectl.namespace, "--wait=false", "--ignore-not-found")


def _refused(kubectl: Kubectl, manifest: Manifest) -> bool:
    try:
        kubectl("create", "--dry-run=server", "-f", "-", *MASTER, stdin=json.dumps(manifest))
    except Refused:
        return True
    return False
