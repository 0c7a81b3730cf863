"""Nobody, however mighty, changes what a release runs, where traffic goes, what is said of it."""

from typing import Any

import pytest

from tests.api.chart import render
from tests.api.enforcement.attempts import ON_A_RELEASE, ON_ALL_ELSE, Attempt
from tests.api.enforcement.conftest import refusal
from tests.api.enforcement.people import (
    ADMINS,
    MASTER,
    OPERATOR_IN_ITS_POD,
    OPERATOR_OUTSIDE_A_POD,
    Who,
    controller,
)
from tests.api.enforcement.stage import (
    LABELS,
    REVISION,
    TIMEOUT,
    Stage,
    bare_pod,
    create,
    enforced_namespace,
    workload,
)
from tests.api.kubectl import Kubectl, Refused
from tests.waiting import eventually


@pytest.fixture(params=list(ADMINS.values()), ids=list(ADMINS))
def admin(request: pytest.FixtureRequest) -> Who:
    """Somebody whom RBAC stops from nothing."""
    who: Who = request.param
    return who


@pytest.mark.parametrize("attempt", ON_A_RELEASE, ids=str)
def test_a_release_is_not_to_be_touched(stage: Stage, admin: Who, attempt: Attempt) -> None:
    said = refusal(stage.kubectl, attempt, stage.names, admin)
    # Why, and then what to do instead.
    reason, _, advice = said.partition("because")[2].partition(".")
    assert reason
    assert advice.endswith(".")


@pytest.mark.parametrize("attempt", ON_ALL_ELSE, ids=str)
def test_nothing_but_releases_runs_in_mode_all(
    stage_of_all: Stage, admin: Who, attempt: Attempt
) -> None:
    refusal(stage_of_all.kubectl, attempt, stage_of_all.names, admin)


def test_a_pod_outside_a_release_is_not_taken_into_it(enforced: Kubectl, admin: Who) -> None:
    kubectl = enforced_namespace(enforced, "releases")
    kubectl("wait", "serviceaccount/default", "--for=create", TIMEOUT)
    create(kubectl, bare_pod("foreign", {"app": "foreign"}))
    for policy, command in (
        ("running-pods", "label pod/foreign immutablerelease.io/release=shop --dry-run=server"),
        # The whole namespace is closed.
        ("connect", "exec foreign -- true"),
    ):
        refusal(kubectl, Attempt("9", "", policy, command, dry_run=False), {}, admin)
    kubectl("delete", "namespace", kubectl.namespace, "--wait=false")


def test_a_pod_of_a_foreign_workload_is_not_taken_for_one_of_a_release(stage: Stage) -> None:
    """The StatefulSet itself may be made in mode `releases`; its Pods never are."""
    names = stage.names
    pod = bare_pod("hijack-0", LABELS)
    attempt = Attempt("10", "", "pods", "create", pod, who=controller("statefulset-controller"))
    refusal(stage.kubectl, attempt, names, ())


def test_what_a_policy_says_of_itself_is_written_by_the_operator(stage: Stage, admin: Who) -> None:
    """ReleasePolicies belong to no namespace, so this holds in the whole cluster."""
    stage.kubectl(
        "apply",
        "--server-side",
        "-f",
        "-",
        stdin='{"apiVersion": "immutablerelease.io/v1alpha1", "kind": "ReleasePolicy",'
        ' "metadata": {"name": "enforcement-test"}, "spec": {"unsafeAllowUnsigned": true}}',
    )
    patch = (
        "patch releasepolicy/enforcement-test --subresource=status --type=merge"
        " -p 'status: {observedGeneration: 7}'"
    )
    refusal(stage.kubectl, Attempt("19", "", "verdicts", patch), stage.names, admin)
    stage.kubectl("delete", "releasepolicy", "enforcement-test")


def test_the_operator_is_itself_only_in_its_pod(stage: Stage) -> None:
    """A namespace editor may impersonate a ServiceAccount, but not with the mark of its Pod."""
    made = workload("Deployment", "shop-aaaaaaaaaa", LABELS)
    attempt = Attempt("22", "", "deployments", "create", made, who=OPERATOR_OUTSIDE_A_POD)
    refusal(stage.kubectl, attempt, stage.names, ())
    attempt_from_pod = Attempt("22", "", "", "create", made, who=OPERATOR_IN_ITS_POD)
    attempt_from_pod.run(stage.kubectl, stage.names, ())


def test_nobody_but_a_node_gets_a_token_of_the_operator(enforced: Kubectl, admin: Who) -> None:
    attempt = Attempt(
        "22",
        "",
        "operator-token",
        "create token immutable-release-operator -n immutable-release-system",
        dry_run=False,
    )
    refusal(enforced, attempt, {}, admin)
    # Other accounts are nobody's concern here.
    enforced("create", "token", "default", "-n", "default", *MASTER)


def test_the_api_server_finds_nothing_wrong_with_the_policies(enforced: Kubectl) -> None:
    """It checks the types of every expression against the kinds that a policy matches."""
    # What it found is told after they are in force.
    eventually(lambda: all(map(_checked, _policies(enforced))), "all policies are checked")
    policies = _policies(enforced)
    shipped = [one for one in render() if one["kind"] == "ValidatingAdmissionPolicy"]
    assert {policy["metadata"]["name"] for policy in policies} == {
        one["metadata"]["name"] for one in shipped
    }
    warnings = {
        policy["metadata"]["name"]: policy["status"]["typeChecking"]["expressionWarnings"]
        for policy in policies
        if policy.get("status", {}).get("typeChecking", {}).get("expressionWarnings")
    }
    assert warnings == {}


def _policies(kubectl: Kubectl) -> list[dict[str, Any]]:
    return [
        policy
        for policy in kubectl.get("validatingadmissionpolicies")["items"]
        if policy["metadata"]["name"].endswith(".immutablerelease.io")
    ]


def _checked(policy: dict[str, Any]) -> bool:
    told = policy.get("status", {}).get("observedGeneration")
    return bool(told == policy["metadata"]["generation"])


def test_a_namespace_without_the_label_is_left_alone(enforced: Kubectl, namespace: Kubectl) -> None:
    create(namespace, workload("Deployment", REVISION, LABELS))
    namespace("set", "image", f"deployment/{REVISION}", "main=other:1", *MASTER)
    namespace("scale", f"deployment/{REVISION}", "--replicas=2", *MASTER)
    namespace("delete", f"deployment/{REVISION}", *MASTER)


def test_a_namespace_may_be_enforced_more_but_not_less(enforced: Kubectl, stage: Stage) -> None:
    label = ("label", "--overwrite", "--dry-run=server", f"namespace/{stage.names['ns']}")
    stage.kubectl(*label, "immutablerelease.io/enforce=all", *MASTER)
    stage.kubectl(*label, "other=label", *MASTER)


def test_the_message_tells_a_person_what_to_do(stage: Stage) -> None:
    with pytest.raises(Refused, match="ReleaseAction with action Rollback"):
        stage.kubectl("delete", f"deployment/{REVISION}", "--dry-run=server", *MASTER)
