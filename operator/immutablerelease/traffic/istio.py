"""The VirtualService of a release, and a DestinationRule for each of its revisions.

Rules:
- One record is one VirtualService. A step, a promotion and a revert are each one write of it.
- It leads to the Service of each revision, and there to the one subset of its DestinationRule: the
  Pods that carry the label of the revision. Neither ever changes, so that nothing that it names can
  be in the middle of a change.
- A subset is made before it is named, and goes with its revision, long after it was named last: a
  proxy answers requests for a subset that it does not know with 503.
- What lost the traffic stays at weight 0 until requests under way have ended, then it is left out.

https://istio.io/latest/docs/reference/config/networking/virtual-service/
https://istio.io/latest/docs/reference/config/networking/destination-rule/
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from immutablerelease.api.meta import (
    MANAGED_BY_LABEL,
    MANAGER,
    RELEASE_LABEL,
    REVISION_LABEL,
    ROUTE_ANNOTATION,
)
from immutablerelease.api.objects import Release, Revision, owner
from immutablerelease.api.traffic import MESH, IstioRoute, Preview
from immutablerelease.core.snapshot import RouteRecord

from .backends import Backends, port_number
from .service import write_record

Object = Mapping[str, Any]

API_VERSION: Final = "networking.istio.io/v1"


def virtual_service(
    release: Release, record: RouteRecord, backends: Backends, *, drained: bool = False
) -> dict[str, Any]:
    """The VirtualService that shares the traffic as the record has it.

    `drained` leaves out what had the traffic before.
    """
    name = release.metadata.name
    leaving = None if drained else record.previous
    return {
        "apiVersion": API_VERSION,
        "kind": "VirtualService",
        "metadata": {
            "name": name,
            "namespace": release.metadata.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER, RELEASE_LABEL: name},
            "annotations": {ROUTE_ANNOTATION: write_record(record)},
            "ownerReferences": [owner("ImmutableRelease", name, release.metadata.uid)],
        },
        "spec": _Rendering(release, record, backends).spec(leaving),
    }


def destination_rule(release: Release, revision: Revision) -> dict[str, Any]:
    """What a VirtualService leads to of a revision: its Pods, and never another's."""
    name = revision.metadata.name
    labels = {RELEASE_LABEL: release.metadata.name, REVISION_LABEL: name}
    return {
        "apiVersion": API_VERSION,
        "kind": "DestinationRule",
        "metadata": {
            "name": name,
            "namespace": release.metadata.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER, **labels},
            "ownerReferences": [owner("ReleaseRevision", name, revision.metadata.uid)],
        },
        "spec": {"host": name, "subsets": [{"name": name, "labels": labels}]},
    }


@dataclass(frozen=True)
class _Way:
    """One way in, and the port of the Service that it leads to."""

    match: Mapping[str, Any]
    port: str | None


class _Rendering:
    """Writes the rules for one record."""

    def __init__(self, release: Release, record: RouteRecord, backends: Backends) -> None:
        istio = release.spec.traffic.istio
        if istio is None:
            raise ValueError(f"ImmutableRelease {release.metadata.name} does not ask for Istio")
        self._name = release.metadata.name
        self._istio: IstioRoute = istio
        self._record = record
        self._backends = backends

    def spec(self, leaving: str | None) -> dict[str, Any]:
        exists = leaving in self._backends.services
        return {
            "hosts": list(self._istio.hosts or (self._name,)),
            "gateways": list(self._istio.gateways),
            "http": [
                rule
                for way in self._ways()
                for rule in self._rules(way, leaving if exists else None)
            ],
            # Written even though empty, so that they are taken back when somebody sets them.
            "exportTo": [],
            "tcp": [],
            "tls": [],
        }

    def _ways(self) -> Iterator[_Way]:
        """Clients in the mesh call any port of the Service, those outside one port of a gateway."""
        gateways = [gateway for gateway in self._istio.gateways if gateway != MESH]
        if MESH in self._istio.gateways:
            for port in self._backends.ports(self._record.revision):
                if port.protocol == "TCP":
                    yield _Way({"gateways": [MESH], "port": port.port}, port.name)
        if gateways:
            yield _Way({"gateways": gateways}, self._istio.port)

    def _rules(self, way: _Way, leaving: str | None) -> list[dict[str, Any]]:
        preview, candidate = self._istio.preview, self._candidate()
        rules = []
        if preview is not None and candidate is not None:
            asking = {**way.match, "headers": _asks_for(preview)}
            rules.append(
                {
                    "match": [asking],
                    "route": [{"destination": self._destination(candidate, way.port)}],
                }
            )
        rules.append({"match": [dict(way.match)], **self._traffic(way.port, candidate, leaving)})
        return rules

    def _traffic(
        self, port: str | None, candidate: str | None, leaving: str | None
    ) -> dict[str, Any]:
        record = self._record
        weight = record.weight if candidate is not None else 0
        shares = {record.revision: 100 - weight}
        if candidate is not None:
            shares[candidate] = weight
        if leaving is not None:
            shares.setdefault(leaving, 0)
        rule: dict[str, Any] = {
            "route": [
                {"destination": self._destination(name, port), "weight": share}
                for name, share in shares.items()
            ]
        }
        if candidate is not None and record.mirror > 0:
            rule["mirror"] = self._destination(candidate, port)
            rule["mirrorPercentage"] = {"value": record.mirror}
        return rule

    def _candidate(self) -> str | None:
        name = self._record.candidate
        return name if name in self._backends.services else None

    def _destination(self, revision: str, port: str | None) -> dict[str, Any]:
        number = port_number(port, self._backends.ports(revision))
        return {"host": revision, "subset": revision, "port": {"number": number}}


def _asks_for(preview: Preview) -> dict[str, Any]:
    """Names of headers are in lower case: Istio compares them as they are."""
    if preview.header is not None:
        return {preview.header.lower(): {"exact": preview.value}}
    pair = f"{preview.cookie}={re.escape(preview.value)}"
    return {"cookie": {"regex": rf"^(.*;\s*)?{pair}(\s*;.*)?$"}}
