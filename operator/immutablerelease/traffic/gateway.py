"""The HTTPRoute of a release: weights between the Services of its revisions, in one object.

Rules:
- One record is one HTTPRoute. A step, a promotion and a revert are each one write of it.
- What lost the traffic stays at weight 0 until requests under way have ended, then it is left out:
  a data plane that is late finds the Service that it still knows.
- Nothing is referred to that does not exist: a gateway answers that share with errors.
- The first rule is for the operator alone. Who sends the token of this configuration is answered
  by the gateway itself, with a redirect that names it: proof of what the data plane routes by.

Gateway API: https://gateway-api.sigs.k8s.io/reference/spec/#httproute
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from immutablerelease.api.meta import MANAGED_BY_LABEL, MANAGER, RELEASE_LABEL, ROUTE_ANNOTATION
from immutablerelease.api.objects import Release, owner
from immutablerelease.api.traffic import GatewayRoute, ParentReference, Preview
from immutablerelease.core.identity import content_hash
from immutablerelease.core.snapshot import RouteRecord

from .backends import Backends, port_number
from .service import write_record

Object = Mapping[str, Any]

API_VERSION: Final = "gateway.networking.k8s.io/v1"
# The header that asks for the proof, and the host that no name server knows.
PROOF_HEADER: Final = "x-immutablerelease-route"
PROOF_DOMAIN: Final = "route.immutablerelease.invalid"
# Feature of a GatewayClass without which a part of the requests cannot be copied.
MIRRORING: Final = "HTTPRouteRequestPercentageMirror"


def http_route(
    release: Release, record: RouteRecord, backends: Backends, *, drained: bool = False
) -> dict[str, Any]:
    """The HTTPRoute that shares the traffic as the record has it.

    `drained` leaves out what had the traffic before.
    """
    name = release.metadata.name
    return {
        "apiVersion": API_VERSION,
        "kind": "HTTPRoute",
        "metadata": {
            "name": name,
            "namespace": release.metadata.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER, RELEASE_LABEL: name},
            "annotations": {ROUTE_ANNOTATION: write_record(record)},
            "ownerReferences": [owner("ImmutableRelease", name, release.metadata.uid)],
        },
        "spec": _Rendering(release, record, backends).spec(None if drained else record.previous),
    }


def token(route: Object) -> str:
    """What stands for the configuration of an HTTPRoute that `http_route` made.

    Every record has its own, so that an answer from before cannot pass for one from now. To leave
    out what has drained changes no traffic and no token.
    """
    redirect = route["spec"]["rules"][0]["filters"][0]["requestRedirect"]
    return str(redirect["hostname"]).partition(".")[0]


def parent_reference(parent: ParentReference) -> dict[str, Any]:
    """A parent as an HTTPRoute names it."""
    wire: dict[str, Any] = {"group": parent.group, "kind": parent.kind, "name": parent.name}
    if parent.namespace is not None:
        wire["namespace"] = parent.namespace
    if parent.section_name is not None:
        wire["sectionName"] = parent.section_name
    if parent.port is not None:
        wire["port"] = parent.port
    return wire


class _Rendering:
    """Writes the rules for one record."""

    def __init__(self, release: Release, record: RouteRecord, backends: Backends) -> None:
        gateway = release.spec.traffic.gateway
        if gateway is None:
            raise ValueError(f"ImmutableRelease {release.metadata.name} asks for no gateway")
        self._gateway: GatewayRoute = gateway
        self._record = record
        self._backends = backends

    def spec(self, leaving: str | None) -> dict[str, Any]:
        # What drains is no part of the token.
        stands_for = content_hash([write_record(self._record), self._spec(self._rules(None))])
        exists = leaving in self._backends.services
        return self._spec([self._proof(stands_for), *self._rules(leaving if exists else None)])

    def _spec(self, rules: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "parentRefs": [parent_reference(parent) for parent in self._gateway.parent_refs],
            # Written even when empty, so that it is taken back when somebody sets it.
            "hostnames": list(self._gateway.hostnames),
            "rules": rules,
        }

    def _proof(self, stands_for: str) -> dict[str, Any]:
        redirect = {"hostname": f"{stands_for}.{PROOF_DOMAIN}", "statusCode": 302}
        header = {"type": "Exact", "name": PROOF_HEADER, "value": stands_for}
        return {
            "matches": self._matches(header),
            "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}],
        }

    def _rules(self, leaving: str | None) -> list[dict[str, Any]]:
        preview, candidate = self._gateway.preview, self._candidate()
        rules = []
        if preview is not None and candidate is not None:
            rules.append(
                {
                    "matches": self._matches(_asks_for(preview)),
                    "backendRefs": [self._backend(candidate, 1)],
                }
            )
        rules.append(self._traffic(candidate, leaving))
        return rules

    def _traffic(self, candidate: str | None, leaving: str | None) -> dict[str, Any]:
        record = self._record
        weight = record.weight if candidate is not None else 0
        backends = [self._backend(record.revision, 100 - weight)]
        if candidate is not None:
            backends.append(self._backend(candidate, weight))
        if leaving is not None and leaving not in (record.revision, candidate):
            backends.append(self._backend(leaving, 0))
        rule: dict[str, Any] = {"matches": self._matches(), "backendRefs": backends}
        if candidate is not None and record.mirror > 0 and self._backends.mirrors:
            copied = {"backendRef": self._service(candidate), "percent": record.mirror}
            rule["filters"] = [{"type": "RequestMirror", "requestMirror": copied}]
        return rule

    def _candidate(self) -> str | None:
        name = self._record.candidate
        return name if name in self._backends.services else None

    def _matches(self, *headers: dict[str, Any]) -> list[dict[str, Any]]:
        more = {"headers": list(headers)} if headers else {}
        return [
            {"path": {"type": "PathPrefix", "value": path}, **more} for path in self._gateway.paths
        ]

    def _backend(self, revision: str, weight: int) -> dict[str, Any]:
        return {**self._service(revision), "weight": weight}

    def _service(self, revision: str) -> dict[str, Any]:
        port = port_number(self._gateway.port, self._backends.ports(revision))
        return {"group": "", "kind": "Service", "name": revision, "port": port}


def _asks_for(preview: Preview) -> dict[str, Any]:
    if preview.header is not None:
        return {"type": "Exact", "name": preview.header, "value": preview.value}
    # Some match the whole header by it, others look for it anywhere.
    pair = f"{preview.cookie}={re.escape(preview.value)}"
    return {
        "type": "RegularExpression",
        "name": "Cookie",
        "value": rf"^(.*;\s*)?{pair}(\s*;.*)?$",
    }
