"""Configuration is frozen with a revision, wherever a template may name it."""

from copy import deepcopy
from typing import Any

import pytest

from immutablerelease.api.objects import Release
from immutablerelease.api.release import LiveReference
from immutablerelease.api.revision import FrozenConfig
from immutablerelease.immutability.config import (
    Reference,
    frozen_copy,
    frozen_name,
    references,
    rewrite,
)


def template(**spec: Any) -> dict[str, Any]:
    """A template with one container and what the case adds."""
    container = {"name": "app", "image": "app", **spec.pop("container", {})}
    return {"spec": {"containers": [container], **spec}}


def release(name: str = "shop") -> Release:
    """The smallest release."""
    return Release.read(
        {
            "metadata": {"name": name, "namespace": "demo", "uid": f"uid-{name}"},
            "spec": {
                "template": template(),
                "service": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
            },
        }
    )


PLACES = {
    "a variable from a ConfigMap": (
        template(
            container={
                "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "k"}}}]
            }
        ),
        Reference("ConfigMap", "x"),
    ),
    "a variable from a Secret": (
        template(
            container={
                "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]
            }
        ),
        Reference("Secret", "x"),
    ),
    "all variables from a ConfigMap": (
        template(container={"envFrom": [{"configMapRef": {"name": "x"}}]}),
        Reference("ConfigMap", "x"),
    ),
    "all variables from an optional Secret": (
        template(container={"envFrom": [{"secretRef": {"name": "x", "optional": True}}]}),
        Reference("Secret", "x", optional=True),
    ),
    "a volume of a ConfigMap": (
        template(volumes=[{"name": "v", "configMap": {"name": "x"}}]),
        Reference("ConfigMap", "x"),
    ),
    "a volume of a Secret": (
        template(volumes=[{"name": "v", "secret": {"secretName": "x"}}]),
        Reference("Secret", "x"),
    ),
    "a projected volume": (
        template(volumes=[{"name": "v", "projected": {"sources": [{"secret": {"name": "x"}}]}}]),
        Reference("Secret", "x"),
    ),
    "an init container": (
        template(
            initContainers=[
                {"name": "i", "image": "i", "envFrom": [{"configMapRef": {"name": "x"}}]}
            ]
        ),
        Reference("ConfigMap", "x"),
    ),
}


@pytest.mark.parametrize(("written", "expected"), PLACES.values(), ids=PLACES.keys())
def test_every_place_is_found_and_rewritten(written: dict[str, Any], expected: Reference) -> None:
    before = deepcopy(written)
    assert references([written], ()) == (expected,)
    copy = FrozenConfig.model_validate({"kind": expected.kind, "source": "x", "name": "x-copy"})
    rewritten = rewrite(written, [copy])
    assert references([rewritten], ()) == (
        Reference(expected.kind, "x-copy", optional=expected.optional),
    )
    assert written == before, "the release's own template is never touched"


def test_live_references_are_left_alone() -> None:
    written = template(container={"envFrom": [{"secretRef": {"name": "db"}}]})
    live = (LiveReference.model_validate({"kind": "Secret", "name": "db"}),)
    assert references([written], live) == ()
    assert rewrite(written, []) == written


def test_a_reference_that_is_required_once_is_required() -> None:
    written = template(
        container={
            "envFrom": [
                {"configMapRef": {"name": "x", "optional": True}},
                {"configMapRef": {"name": "x"}},
            ]
        }
    )
    assert references([written], ()) == (Reference("ConfigMap", "x", optional=False),)


def test_a_copy_is_immutable_and_named_by_its_content_and_release() -> None:
    source = {"metadata": {"name": "settings"}, "data": {"colour": "blue"}}
    other = {"metadata": {"name": "settings"}, "data": {"colour": "green"}}
    copy = frozen_copy(release(), "ConfigMap", source)
    assert copy["immutable"] is True
    assert copy["data"] == {"colour": "blue"}
    assert copy["metadata"]["name"].startswith("shop-settings-")
    names = {
        frozen_name(release(), source),
        frozen_name(release(), other),
        frozen_name(release("cart"), source),
    }
    assert len(names) == 3


def test_copies_of_two_releases_never_meet_at_one_name() -> None:
    of_one = frozen_name(release("shop"), {"metadata": {"name": "web-settings"}})
    of_another = frozen_name(release("shop-web"), {"metadata": {"name": "settings"}})
    assert of_one != of_another


def test_a_copied_secret_keeps_its_type() -> None:
    source = {"metadata": {"name": "tls"}, "type": "kubernetes.io/tls", "data": {"tls.crt": ""}}
    assert frozen_copy(release(), "Secret", source)["type"] == "kubernetes.io/tls"
