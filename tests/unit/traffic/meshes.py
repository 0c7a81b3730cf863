"""A release whose traffic Istio shares, and every stage that its VirtualService goes through."""

from typing import Any

from immutablerelease.api.objects import Release, Revision
from immutablerelease.core.snapshot import RouteRecord
from immutablerelease.traffic.istio import destination_rule, virtual_service

from .routes import backends, record, release_by

PREVIEW = {"header": "X-Try", "value": "yes"}
# What goes through gateways too, with everything that can be asked of it.
FULL: dict[str, Any] = {
    "hosts": ["shop.example.com", "*.shop.example.com"],
    "gateways": ["mesh", "infra/public"],
    "port": "admin",
    "preview": {"cookie": "try", "value": "v1.0~beta"},
}


def release(**istio: Any) -> Release:
    """A release with two ports that asks for Istio."""
    return release_by({"istio": istio})


def revision(name: str) -> Revision:
    """One of its revisions."""
    return Revision.read(
        {
            "metadata": {"name": name, "namespace": "demo", "uid": f"uid-of-{name}"},
            "spec": {
                "release": "shop",
                "number": 1,
                "generation": 1,
                "templateHash": "a",
                "template": {},
                "images": [],
            },
        }
    )


def route(of: Release, said: RouteRecord, *, drained: bool = False) -> dict[str, Any]:
    """The VirtualService for a record."""
    return virtual_service(of, said, backends(of), drained=drained)


def rule(name: str) -> dict[str, Any]:
    """The DestinationRule of a revision."""
    return destination_rule(release(), revision(name))


def stages() -> dict[str, dict[str, Any]]:
    """All that is ever written for a release, by what it is."""
    plain, full = release(preview=PREVIEW), release(**FULL)
    candidate = record(candidate="shop-2")
    left = record(revision="shop-2", previous="shop-1")
    return {
        "a DestinationRule": rule("shop-1"),
        "the first revision": route(plain, record()),
        "a candidate is added": route(plain, candidate),
        "the first step, with copies": route(
            plain, record(candidate="shop-2", weight=10, mirror=25)
        ),
        "a later step": route(plain, record(candidate="shop-2", weight=50)),
        "all of it by the last step": route(plain, record(candidate="shop-2", weight=100)),
        "promoted, the other drains": route(plain, left),
        "promoted, the other has drained": route(plain, left, drained=True),
        "reverted": route(plain, record(previous="shop-2", reason="Reverted")),
        "through gateways": route(full, record(candidate="shop-2", weight=10, mirror=1)),
    }
