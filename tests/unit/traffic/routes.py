"""A release that a gateway routes for, and its HTTPRoute."""

from datetime import UTC, datetime
from typing import Any

from immutablerelease.api.objects import Release
from immutablerelease.core.snapshot import RouteRecord
from immutablerelease.traffic.backends import Backends
from immutablerelease.traffic.gateway import http_route

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


def release(**gateway: Any) -> Release:
    parents = [{"name": "public", "namespace": "infra"}]
    return release_by({"gateway": {"parentRefs": parents, **gateway}})


def release_by(traffic: dict[str, Any]) -> Release:
    return Release.read(
        {
            "metadata": {"name": "shop", "namespace": "demo", "uid": "u"},
            "spec": {
                "template": {"spec": {"containers": [{"name": "a", "image": "a"}]}},
                "service": {
                    "ports": [
                        {"name": "http", "port": 80, "targetPort": 8080},
                        {"name": "admin", "port": 81, "targetPort": 8081},
                    ]
                },
                "traffic": traffic,
            },
        }
    )


def record(**changes: Any) -> RouteRecord:
    said: dict[str, Any] = {"revision": "shop-1", "reason": "Promoted", "message": "passed"}
    return RouteRecord(**{**said, "at": AT, **changes})


def backends(of: Release, *services: str, mirrors: bool = True) -> Backends:
    return Backends(
        lambda _: of.spec.service.ports, services or ("shop-0", "shop-1", "shop-2"), mirrors
    )


def route(of: Release, said: RouteRecord, *, drained: bool = False) -> dict[str, Any]:
    return http_route(of, said, backends(of), drained=drained)
