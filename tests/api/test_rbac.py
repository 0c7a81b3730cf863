"""The operator may do what it needs and nothing that would make it dangerous."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.api.chart import (
    NAMESPACE,
    NAMESPACE_OBJECT,
    OPERATOR,
    Manifest,
    apply,
    as_list,
    delete,
    render,
)
from tests.api.kubectl import Kubectl
from tests.waiting import eventually

ELSEWHERE = "default"
OURS = "immutablerelease.io"


@dataclass(frozen=True)
class Ask:
    """May the operator do this?"""

    verbs: str
    group: str
    resource: str
    # Of the object that is asked about; any when empty.
    name: str = ""
    # Cluster-scoped, or in all namespaces at once, when empty.
    namespace: str = ELSEWHERE

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verbs.replace(' ', ',')} {self.group}/{self.resource} {self.name}{where}"


IN_NAMESPACES = [
    Ask("get list watch", OURS, "immutablereleases"),
    Ask("get list watch delete", OURS, "releaseactions"),
    Ask("get list watch create delete", OURS, "releaserevisions"),
    Ask("patch", OURS, "immutablereleases/status"),
    Ask("patch", OURS, "releaserevisions/status"),
    Ask("patch", OURS, "releaseactions/status"),
    Ask("get list watch create", "apps", "deployments"),
    Ask("patch", "apps", "deployments/scale"),
    Ask("get list watch create delete", "apps", "daemonsets"),
    Ask("get list watch create", "batch", "jobs"),
    Ask("get list watch create update patch", "", "services"),
    Ask("get list watch create patch", "policy", "poddisruptionbudgets"),
    Ask("get list watch create patch delete", "gateway.networking.k8s.io", "httproutes"),
    Ask("get list watch create patch delete", "networking.istio.io", "virtualservices"),
    Ask("get list watch create patch", "networking.istio.io", "destinationrules"),
    Ask("get create delete", "", "configmaps"),
    Ask("get create delete", "", "secrets"),
    Ask("get list watch", "", "pods"),
    Ask("get list watch", "discovery.k8s.io", "endpointslices"),
    Ask("get", "", "serviceaccounts"),
    Ask("create patch", "events.k8s.io", "events"),
]
IN_THE_CLUSTER = [
    Ask("get list watch", OURS, "releasepolicies", namespace=""),
    Ask("patch", OURS, "releasepolicies/status", namespace=""),
    Ask("get list watch", "", "namespaces", namespace=""),
    Ask("list watch", "apiextensions.k8s.io", "customresourcedefinitions", namespace=""),
    Ask("get", "gateway.networking.k8s.io", "gateways"),
    Ask("get", "gateway.networking.k8s.io", "gatewayclasses", namespace=""),
]
IN_ITS_OWN_NAMESPACE = [
    Ask("create", "coordination.k8s.io", "leases", namespace=NAMESPACE),
    Ask(
        "get update",
        "coordination.k8s.io",
        "leases",
        name="immutable-release-operator",
        namespace=NAMESPACE,
    ),
]
DANGEROUS = [
    Ask("*", "*", "*"),
    Ask("create update patch delete", OURS, "immutablereleases"),
    Ask("update patch", OURS, "immutablereleases/scale"),
    Ask("create update patch deletecollection", OURS, "releaseactions"),
    Ask("create update patch delete", OURS, "releasepolicies", namespace=""),
    Ask("update patch delete deletecollection", "apps", "deployments"),
    Ask("list watch update patch deletecollection", "", "secrets"),
    Ask("list watch update patch deletecollection", "", "configmaps"),
    Ask("update patch", OURS, "releaserevisions"),
    Ask("create update patch delete", "apps", "replicasets"),
    Ask("create update patch delete", "apps", "statefulsets"),
    Ask("update patch deletecollection", "apps", "daemonsets"),
    Ask("update patch delete deletecollection", "batch", "jobs"),
    Ask("create update patch delete", "batch", "cronjobs"),
    Ask("create update patch delete deletecollection", "", "pods"),
    Ask("create get", "", "pods/exec"),
    Ask("create get", "", "pods/attach"),
    Ask("create get", "", "pods/portforward"),
    Ask("create get", "", "pods/proxy"),
    Ask("create get", "", "services/proxy"),
    Ask("update patch", "", "pods/ephemeralcontainers"),
    Ask("update patch", "", "pods/resize"),
    Ask("create", "", "pods/binding"),
    Ask("create update patch delete", "", "endpoints"),
    Ask("create update patch delete", "discovery.k8s.io", "endpointslices"),
    Ask("create update patch delete impersonate", "", "serviceaccounts"),
    Ask("create", "", "serviceaccounts/token"),
    Ask("create update patch delete", "", "namespaces", namespace=""),
    Ask("get create update patch delete", "", "nodes", namespace=""),
    Ask("get create", "", "nodes/proxy", namespace=""),
    Ask("impersonate", "", "users", namespace=""),
    Ask("impersonate", "", "groups", namespace=""),
    Ask("create update patch bind escalate", "rbac.authorization.k8s.io", "roles"),
    Ask("create update patch bind escalate", "rbac.authorization.k8s.io", "rolebindings"),
    Ask("create patch bind escalate", "rbac.authorization.k8s.io", "clusterroles", namespace=""),
    Ask("create patch", "rbac.authorization.k8s.io", "clusterrolebindings", namespace=""),
    *(
        Ask("get create update patch delete", "admissionregistration.k8s.io", kind, namespace="")
        for kind in (
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
            "mutatingwebhookconfigurations",
        )
    ),
    Ask("create update patch delete", "apiextensions.k8s.io", "customresourcedefinitions"),
    Ask("create update patch approve", "certificates.k8s.io", "certificatesigningrequests"),
    # Leases of others, also in its own namespace.
    Ask("get update patch delete", "coordination.k8s.io", "leases"),
    Ask("get update patch delete", "coordination.k8s.io", "leases", "other", NAMESPACE),
]


@pytest.fixture(scope="module")
def installed(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The permissions of the chart for the whole cluster, and nothing else of it."""
    documents = [NAMESPACE_OBJECT, *_permissions()]
    apply(kubectl, documents)
    # The API server goes by what it watches; without any of it nothing would be dangerous.
    _await_allowed(kubectl, IN_THE_CLUSTER)
    yield kubectl
    delete(kubectl, documents)


def test_the_operator_may_do_what_it_needs(installed: Kubectl) -> None:
    asks = [*IN_NAMESPACES, *IN_THE_CLUSTER, *IN_ITS_OWN_NAMESPACE]
    _await_allowed(installed, asks)


def test_the_operator_may_do_nothing_dangerous(installed: Kubectl) -> None:
    assert [ask for ask, allowed in _answers(installed, DANGEROUS) if allowed] == []


def test_no_role_of_the_operator_has_a_wildcard() -> None:
    for document in _permissions():
        for rule in document.get("rules", ()):
            assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])


def test_with_a_list_of_namespaces_the_operator_may_nothing_elsewhere(
    installed: Kubectl, namespace: Kubectl
) -> None:
    """The upgrade from the whole cluster to one namespace, as helm does it."""
    watched = f'watchNamespaces=["{namespace.namespace}"]'
    narrow = _permissions(watched)
    wide = _permissions()
    kept = {(one["kind"], one["metadata"]["name"]) for one in narrow}
    dropped = [one for one in wide if (one["kind"], one["metadata"]["name"]) not in kept]
    assert [one["kind"] for one in dropped] == ["ClusterRoleBinding"]
    delete(installed, dropped)
    apply(installed, narrow)
    there = [
        Ask(ask.verbs, ask.group, ask.resource, "", namespace.namespace) for ask in IN_NAMESPACES
    ]
    asks = [*there, *IN_THE_CLUSTER, *IN_ITS_OWN_NAMESPACE]
    _await_allowed(installed, asks)
    eventually(lambda: not any(_allowed(installed, IN_NAMESPACES)), "nothing is allowed elsewhere")
    apply(installed, wide)


@pytest.mark.parametrize(
    ("role", "allowed", "refused"),
    [
        (
            "view",
            [("get list watch", "immutablereleases"), ("get list watch", "releaserevisions")],
            [("create update patch delete", "immutablereleases"), ("create", "releaseactions")],
        ),
        (
            "edit",
            [
                ("get create update patch delete", "immutablereleases"),
                ("update patch", "immutablereleases/scale"),
                ("get list watch", "releaseactions"),
            ],
            [
                ("create", "releaseactions"),
                ("create update patch delete", "releaserevisions"),
                ("update patch", "immutablereleases/status"),
                ("create update patch delete", "releasepolicies"),
            ],
        ),
        ("admin", [("create", "immutablereleases")], [("create", "releaseactions")]),
        (
            "immutable-release-operator-actions",
            [("create", "releaseactions")],
            [("create update patch delete", "immutablereleases")],
        ),
    ],
)
def test_what_people_with_a_role_may_do(
    installed: Kubectl,
    namespace: Kubectl,
    role: str,
    allowed: list[tuple[str, str]],
    refused: list[tuple[str, str]],
) -> None:
    namespace("create", "rolebinding", "person", f"--clusterrole={role}", "--user=person")
    where = namespace.namespace
    may = [Ask(verbs, OURS, resource, "", where) for verbs, resource in allowed]
    may_not = [Ask(verbs, OURS, resource, "", where) for verbs, resource in refused]
    # The controller that aggregates roles follows a moment later.
    _await_allowed(installed, may, "person")
    assert [ask for ask, yes in _answers(installed, may_not, "person") if yes] == []


def _permissions(*settings: str) -> list[Manifest]:
    kinds = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
    return [one for one in render(*settings) if one["kind"] in kinds]


def _await_allowed(kubectl: Kubectl, asks: list[Ask], user: str = OPERATOR) -> None:
    """Wait until all of it is; what is written of permissions is in force a moment later."""
    where = ", ".join(map(str, asks))
    eventually(lambda: all(_allowed(kubectl, asks, user)), f"{user} may {where}", 30)


def _allowed(kubectl: Kubectl, asks: list[Ask], user: str = OPERATOR) -> list[bool]:
    return [allowed for _, allowed in _answers(kubectl, asks, user)]


def _answers(kubectl: Kubectl, asks: list[Ask], user: str = OPERATOR) -> Iterator[tuple[str, bool]]:
    """Every verb of every question, and what the API server's authorizer says."""
    questions = [(ask, verb) for ask in asks for verb in ask.verbs.split()]
    reviews = [_review(ask, verb, user) for ask, verb in questions]
    allowed = 'jsonpath={.status.allowed}{"\\n"}'
    answers = kubectl("create", "-f", "-", "-o", allowed, stdin=as_list(reviews)).split()
    for (ask, verb), answer in zip(questions, answers, strict=True):
        yield f"{verb}: {ask}", answer == "true"


def _review(ask: Ask, verb: str, user: str) -> Manifest:
    resource, _, subresource = ask.resource.partition("/")
    attributes = {
        "verb": verb,
        "group": ask.group,
        "resource": resource,
        "subresource": subresource,
        "name": ask.name,
        "namespace": ask.namespace,
    }
    groups = ["system:authenticated", "system:serviceaccounts"]
    spec = {"user": user, "groups": groups, "resourceAttributes": attributes}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": spec,
    }
