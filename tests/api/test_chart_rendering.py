"""What the chart renders for which values. Needs helm and no cluster."""

from typing import Any

import pytest
import yaml

from tests.api.chart import CHART, Manifest, render
from tests.api.conftest import ROOT

CRDS = sorted((ROOT / "crds").glob("*.yaml"))


def test_the_chart_carries_the_definitions_as_they_are() -> None:
    copies = {path.name: path.read_text() for path in (CHART / "files" / "crds").iterdir()}
    assert copies == {path.name: path.read_text() for path in CRDS}, "cp crds/* CHART/files/crds/"


def test_the_definitions_are_installed_whole_and_kept() -> None:
    rendered = _of_kind(render(), "CustomResourceDefinition")
    for path in CRDS:
        wanted = yaml.safe_load(path.read_text())
        made = rendered[wanted["metadata"]["name"]]
        assert made["spec"] == wanted["spec"]
        assert made["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert len(rendered) == len(CRDS)


def test_the_definitions_may_be_left_to_others_or_go_with_the_chart() -> None:
    assert not _of_kind(render("crds.enabled=false"), "CustomResourceDefinition")
    for made in _of_kind(render("crds.keep=false"), "CustomResourceDefinition").values():
        assert "annotations" not in made["metadata"]


def test_every_policy_fails_closed_denies_and_is_bound() -> None:
    documents = render()
    policies = _of_kind(documents, "ValidatingAdmissionPolicy")
    bindings = _of_kind(documents, "ValidatingAdmissionPolicyBinding")
    assert policies.keys() == bindings.keys()
    for name, policy in policies.items():
        assert policy["spec"]["failurePolicy"] == "Fail"
        (validation,) = policy["spec"]["validations"]
        assert validation["reason"] == "Forbidden"
        assert [one["key"] for one in policy["spec"]["auditAnnotations"]] == ["break-glass"]
        assert bindings[name]["spec"]["policyName"] == name
        assert bindings[name]["spec"]["validationActions"] == ["Deny", "Audit"]


def test_without_enforcement_there_is_no_policy() -> None:
    kinds = {one["kind"] for one in render("enforcement.enabled=false")}
    assert not {kind for kind in kinds if kind.startswith("ValidatingAdmission")}


def test_an_operator_outside_the_cluster_is_known_by_its_name_alone() -> None:
    documents = render("enforcement.requirePodBoundToken=false")
    assert "pod-name" not in str(_of_kind(documents, "ValidatingAdmissionPolicy"))
    assert "pod-name" in str(_of_kind(render(), "ValidatingAdmissionPolicy"))
    assert "operator-token.immutablerelease.io" not in _names(documents)


def test_with_a_list_of_namespaces_nothing_is_granted_in_the_whole_cluster() -> None:
    documents = render('watchNamespaces=["one","two"]')
    bound = [one for one in documents if one["kind"] == "RoleBinding"]
    where = [
        one["metadata"]["namespace"] for one in bound if one["roleRef"]["kind"] == "ClusterRole"
    ]
    assert where == ["one", "two"]
    assert _environment(documents)["IRO_WATCH_NAMESPACES"] == "one,two"


def test_an_image_is_named_by_digest_when_there_is_one() -> None:
    digest = "sha256:" + "ab" * 32
    assert _container(render(f'image.digest="{digest}"'))["image"].endswith(f"@{digest}")
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert _container(render())["image"] == f"immutable-release-operator:{version}"


@pytest.mark.parametrize(
    "setting",
    [
        "replicas=2",
        'logFormat="xml"',
        'image.digest="latest"',
        'watchNamespaces="one"',
        'breakGlass.group=""',
        'breakGlass.group="it\'s"',
        "misspelled=true",
        "enforcement.requirePodBoundTokens=true",
    ],
)
def test_values_that_make_no_sense_are_refused(setting: str) -> None:
    with pytest.raises(AssertionError, match="values don't meet the specifications"):
        render(setting)


def _of_kind(documents: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


def _names(documents: list[Manifest]) -> set[str]:
    return {one["metadata"]["name"] for one in documents}


def _container(documents: list[Manifest]) -> Any:
    (deployment,) = _of_kind(documents, "Deployment").values()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return container


def _environment(documents: list[Manifest]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in _container(documents)["env"] if "value" in one}
