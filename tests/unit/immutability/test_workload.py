"""A Deployment that differs from its revision is noticed; defaults are not differences."""

from copy import deepcopy
from typing import Any

import pytest

from immutablerelease.immutability.workload import difference

WRITTEN: dict[str, Any] = {
    "metadata": {"labels": {"app": "shop"}},
    "spec": {
        "containers": [
            {
                "name": "app",
                "image": "registry/app@sha256:0",
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "100m"}},
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
    ],
)
def test_a_change_is_named(change: Any, named: str) -> None:
    template = live()
    change(template)
    assert named in difference(WRITTEN, template)
