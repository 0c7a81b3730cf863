"""A Deployment that differs from its revision is noticed; another spelling is no difference."""

from copy import deepcopy
from typing import Any

import pytest

from immutablerelease.immutability.difference import difference

WRITTEN: dict[str, Any] = {
    "metadata": {"labels": {"app": "shop"}},
    "spec": {
        "containers": [
            {
                "name": "app",
                "image": "registry/app@sha256:0",
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "100m"}},
                "readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1},
                "env": [{"name": "EMPTY", "value": ""}],
            }
        ],
        "hostNetwork": False,
    },
}


def live() -> dict[str, Any]:
    """The template as the API server returns it, with its defaults."""
    template = deepcopy(WRITTEN)
    template["metadata"]["creationTimestamp"] = None
    spec = template["spec"]
    del spec["hostNetwork"]
    del spec["containers"][0]["env"][0]["value"]
    spec["containers"][0]["ports"][0]["protocol"] = "TCP"
    spec["containers"][0]["imagePullPolicy"] = "IfNotPresent"
    spec["containers"][0]["terminationMessagePath"] = "/dev/termination-log"
    spec.update(restartPolicy="Always", dnsPolicy="ClusterFirst", securityContext={})
    return template


def test_defaults_are_no_difference() -> None:
    assert difference(WRITTEN, live()) == ""


def _image(template: dict[str, Any]) -> None:
    template["spec"]["containers"][0]["image"] = "evil"


def _sidecar(template: dict[str, Any]) -> None:
    template["spec"]["containers"].append({"name": "evil", "image": "evil"})


def _init(template: dict[str, Any]) -> None:
    template["spec"]["initContainers"] = [{"name": "evil", "image": "evil"}]


def _command(template: dict[str, Any]) -> None:
    template["spec"]["containers"][0]["command"] = ["evil"]


def _variable(template: dict[str, Any]) -> None:
    template["spec"]["containers"][0]["env"].append({"name": "EVIL", "value": "1"})


def _label(template: dict[str, Any]) -> None:
    template["metadata"]["labels"] = {}


def _more(template: dict[str, Any]) -> None:
    template["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "101m"


def _host(template: dict[str, Any]) -> None:
    template["spec"]["hostNetwork"] = True


def _period(template: dict[str, Any]) -> None:
    template["spec"]["containers"][0]["readinessProbe"]["periodSeconds"] = 3600


def _resources(template: dict[str, Any]) -> None:
    template["spec"]["containers"][0]["resources"] = {}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_image, "containers[0].image"),
        (_sidecar, "containers has other entries"),
        (_init, "initContainers was added"),
        (_command, "containers[0].command was added"),
        (_variable, "env has other entries"),
        (_label, "metadata.labels"),
        (_resources, "resources.requests"),
        (_more, "resources.requests.cpu is '101m', expected '100m'"),
        (_host, "spec.hostNetwork is True"),
        (_period, "readinessProbe.periodSeconds is 3600, expected 1"),
    ],
)
def test_a_change_is_named(change: Any, named: str) -> None:
    template = live()
    change(template)
    assert named in difference(WRITTEN, template)


EQUAL: list[tuple[Any, Any]] = [
    ("1000m", "1"),
    ("0.5", "500m"),
    (0.5, "500m"),
    (0.05, "50m"),
    (1.1, "1100m"),
    (1, "1"),
    ("1e3", "1k"),
    ("1.5Gi", "1536Mi"),
    ("1024Mi", "1Gi"),
    ("1000k", "1M"),
    ("0.0001", "1m"),
    ("0", None),
]
OTHERS: list[tuple[Any, Any]] = [
    ("1", "2"),
    ("1G", "1Gi"),
    ("1m", "1M"),
    ("1", None),
    ("1", "many"),
    ("1", {}),
]


def _limited(quantity: Any) -> dict[str, Any]:
    limits = {} if quantity is None else {"memory": quantity}
    return {"spec": {"containers": [{"name": "app", "resources": {"limits": limits}}]}}


@pytest.mark.parametrize(("written", "kept"), EQUAL)
def test_a_quantity_is_compared_by_its_value(written: Any, kept: Any) -> None:
    assert difference(_limited(written), _limited(kept)) == ""


@pytest.mark.parametrize(("written", "kept"), OTHERS)
def test_another_quantity_is_a_change(written: Any, kept: Any) -> None:
    assert "limits.memory is" in difference(_limited(written), _limited(kept))


def test_what_only_looks_like_a_quantity_is_compared_as_text() -> None:
    def labelled(value: str) -> dict[str, Any]:
        return {"metadata": {"annotations": {"size": value}}}

    assert "annotations.size" in difference(labelled("1000m"), labelled("1"))


def test_empty_lists_and_maps_may_be_dropped_and_not_be_filled() -> None:
    def container(**fields: Any) -> dict[str, Any]:
        return {"spec": {"containers": [{"name": "app", **fields}]}}

    written = container(env=[], args=[], securityContext={"capabilities": {"add": []}})
    assert difference(written, container()) == ""
    assert difference(written, container(securityContext={"capabilities": {}})) == ""
    assert "env has other entries" in difference(written, container(env=[{"name": "EVIL"}]))
    added = container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}})
    assert "capabilities.add has other entries" in difference(written, added)
