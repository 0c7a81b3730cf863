"""What the API server makes of the CRDs: defaults, immutability, status, scale, explanations."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from immutablerelease.api.kinds import KINDS, Kind
from immutablerelease.api.schema import structural_schema
from tests.api.kubectl import Kubectl, Refused
from tests.api.manifests import action, policy, release, revision
from tests.unit.api.strategies import documents


def test_defaults_are_filled_in_and_the_template_is_left_as_it_is(kubectl: Kubectl) -> None:
    template = {
        "metadata": {"labels": {"team": "shop"}},
        "spec": {
            "containers": [
                {
                    "name": "shop",
                    "image": "shop:1",
                    "ports": [{"containerPort": 8080, "hostIP": "127.0.0.1"}],
                    "securityContext": {"capabilities": {"drop": ["ALL"]}},
                }
            ],
            "volumes": [{"name": "cache", "emptyDir": {}}],
        },
    }
    probes = [{"name": "api", "http": {"port": "http"}}]
    made = kubectl.try_create(release(spec__template=template, spec__health__probes=probes))
    assert made["spec"] == {
        "workload": "Deployment",
        "replicas": 1,
        "template": template,
        "service": {"ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
        "traffic": {},
        "strategy": {},
        "health": {
            "progressDeadline": "5m",
            "bake": "10m",
            "probes": [
                {
                    "name": "api",
                    "http": {"port": "http", "path": "/", "expectStatus": "200-299"},
                    "scope": "Always",
                    "interval": "2s",
                    "timeout": "1s",
                    "failureThreshold": 3,
                    "successThreshold": 1,
                }
            ],
        },
        "guard": {"onFailure": "Revert"},
        "keepWarm": "10m",
        "disruption": {"maxUnavailable": 1},
        "config": {},
        "historyLimit": 10,
        "paused": False,
    }


def test_a_target_port_may_be_that_of_a_sidecar(kubectl: Kubectl) -> None:
    sidecar = {
        "name": "proxy",
        "image": "proxy:1",
        "restartPolicy": "Always",
        "ports": [{"name": "web", "containerPort": 8080}],
    }
    kubectl.try_create(
        release(
            spec__service__ports__0__targetPort="web",
            spec__template__spec__initContainers=[sidecar],
        )
    )


UNKNOWN_FIELD_SWAPPED = [
    {"op": "remove", "path": "/spec/template/spec/securityContext"},
    {"op": "add", "path": "/spec/template/spec/hostNetwork", "value": True},
]
FROZEN: dict[str, Any] = {
    "an image": [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil"}
    ],
    # The API server's comparison of objects with a schema does not see this one.
    "one field for another that no schema knows": UNKNOWN_FIELD_SWAPPED,
    "one field for another within a container": [
        {"op": "remove", "path": "/spec/template/spec/containers/0/args"},
        {"op": "add", "path": "/spec/template/spec/containers/0/command", "value": ["evil"]},
    ],
    "one part of the template for another": [
        {"op": "remove", "path": "/spec/template/metadata"},
        {"op": "add", "path": "/spec/template/other", "value": {}},
    ],
    "the order of init containers": [
        {"op": "move", "from": "/spec/template/spec/initContainers/0",
         "path": "/spec/template/spec/initContainers/1"}
    ],
    "an optional field, by leaving it away": [{"op": "remove", "path": "/spec/config"}],
    "the number": [{"op": "replace", "path": "/spec/number", "value": 2}],
}  # fmt: skip


@pytest.fixture(scope="module")
def recorded(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl where a revision is recorded that has all that the table wants to change."""
    kubectl.apply(
        revision(
            spec__config=[{"kind": "Secret", "source": "a", "name": "b"}],
            spec__template__metadata={"labels": {"team": "shop"}},
            spec__template__spec__securityContext={"runAsNonRoot": True},
            spec__template__spec__containers__0__args=["serve"],
            spec__template__spec__initContainers=[
                {"name": "first", "image": "first"},
                {"name": "second", "image": "second"},
            ],
        )
    )
    yield kubectl
    kubectl("delete", "rrev/shop-0123456789", "--wait=false")


@pytest.mark.parametrize("patch", FROZEN.values(), ids=FROZEN.keys())
def test_nothing_of_a_revision_can_be_changed(recorded: Kubectl, patch: Any) -> None:
    with pytest.raises(Refused) as refused:
        recorded.patch("rrev/shop-0123456789", patch)
    assert refused.value.causes == [
        "spec: Invalid value: a revision never changes; change the ImmutableRelease instead"
    ]


def test_nothing_of_an_action_can_be_changed(namespace: Kubectl) -> None:
    namespace.apply(action(spec__reason="approved"))
    for patch in ({"action": "Abort"}, {"reason": "other"}, {"reason": None}):
        with pytest.raises(Refused) as refused:
            namespace.patch("ract/promote", {"spec": patch})
        assert refused.value.causes == [
            "spec: Invalid value: an action never changes; create another one"
        ]


def test_a_release_is_scaled_through_its_subresource(namespace: Kubectl) -> None:
    namespace.apply(release())
    selector = "immutablerelease.io/revision=shop-0123456789"
    status = {"replicas": 1, "selector": selector}
    namespace.patch("irel/shop", {"status": status}, "--subresource=status")

    namespace("scale", "irel/shop", "--replicas=3")

    scale = namespace("get", "irel/shop", "--subresource=scale", "-o", "json")
    assert namespace.get("irel/shop")["spec"]["replicas"] == 3
    assert f'"selector": "{selector}"' in scale


def test_status_and_spec_are_written_apart(namespace: Kubectl) -> None:
    namespace.apply(release())
    namespace.patch("irel/shop", {"status": {"phase": "Active"}})
    assert "status" not in namespace.get("irel/shop")
    namespace.patch(
        "irel/shop",
        {"spec": {"paused": True}, "status": {"phase": "Active"}},
        "--subresource=status",
    )
    written = namespace.get("irel/shop")
    assert (written["spec"]["paused"], written["status"]["phase"]) == (False, "Active")


# Where the chart is installed too, only the operator writes verdicts.
BROKEN_GLASS = (
    "--as=somebody",
    "--as-group=system:masters",
    "--as-group=immutablerelease:break-glass",
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_status_that_the_models_can_write_is_kept_whole(kubectl: Kubectl, kind: Kind) -> None:
    """What a schema does not know, the API server drops without a word."""
    manifest = {
        "ImmutableRelease": release("status"),
        "ReleaseRevision": revision("status"),
        "ReleasePolicy": policy("status"),
        "ReleaseAction": action("status"),
    }[kind.name]
    kubectl.apply(manifest)

    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(documents(structural_schema(kind.status, defaults=False)))
    def kept(document: dict[str, Any]) -> None:
        status = kind.status.model_validate(document).wire()
        replace = [{"op": "add", "path": "/status", "value": status}]
        target = f"{kind.plural}/status"
        written = kubectl.patch(target, replace, "--subresource=status", *BROKEN_GLASS)
        assert written["status"] == status

    try:
        kept()
    finally:
        kubectl("delete", f"{kind.plural}/status", "--wait=false")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("irel", "Every change of `spec.template` becomes a ReleaseRevision"),
        ("irel.spec.health.probes.http.expectStatus", "such as `200-299,304`"),
        ("irel.spec.template.spec.containers.image", "the Pods always run the digest"),
        ("irel.status.knownGoodRevision", "Where a revert goes."),
        ("rrev.status.verification.evidence.signer", "Fingerprint of the key, or identity."),
        ("rpol.spec.match.images", "`**` crosses them"),
        ("ract.spec.revision", "without it, the known-good one"),
    ],
)
def test_kubectl_explains(kubectl: Kubectl, field: str, text: str) -> None:
    assert text in " ".join(kubectl("explain", field).split())


def test_revisions_are_selected_by_release_and_phase(namespace: Kubectl) -> None:
    namespace.apply(revision("shop-1"))
    namespace.apply(revision("blog-1", spec__release="blog"))
    namespace.patch("rrev/blog-1", {"status": {"phase": "Active"}}, "--subresource=status")
    for selector in ("spec.release=blog", "status.phase=Active"):
        names = namespace("get", "rrev", "-o", "name", f"--field-selector={selector}")
        assert names.split() == ["releaserevision.immutablerelease.io/blog-1"]
