"""Plain Services: one selector names one revision, or every Pod while a candidate has a share.

The record of why the traffic goes there is an annotation of the same Service, so both change in
one write and a crash can never separate them.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from immutablerelease.api.base import format_time
from immutablerelease.api.meta import (
    MANAGED_BY_LABEL,
    MANAGER,
    RELEASE_LABEL,
    REVISION_LABEL,
    ROUTE_ANNOTATION,
)
from immutablerelease.api.objects import Release, Revision, owner
from immutablerelease.api.release import ServicePort
from immutablerelease.core.shares import selection
from immutablerelease.core.snapshot import EVERY, Route, RouteRecord

Object = Mapping[str, Any]

_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


def release_service(
    release: Release, record: RouteRecord, ports: Iterable[ServicePort]
) -> dict[str, Any]:
    """The Service that clients use, pointing at the revision that the record names."""
    name = release.metadata.name
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": release.metadata.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER, RELEASE_LABEL: name},
            "annotations": {ROUTE_ANNOTATION: write_record(record)},
            "ownerReferences": [owner("ImmutableRelease", name, release.metadata.uid)],
        },
        "spec": {
            "selector": _selector(release, record),
            "ports": [port.wire() for port in ports],
            # Owned so that they are taken back when somebody sets them.
            "externalIPs": [],
            "publishNotReadyAddresses": False,
        },
    }


def revision_service(
    release: Release, revision: Revision, ports: Iterable[ServicePort]
) -> dict[str, Any]:
    """The Service of one revision, for previews; it never moves."""
    name = revision.metadata.name
    labels = {RELEASE_LABEL: release.metadata.name, REVISION_LABEL: name}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": release.metadata.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER, **labels},
            "ownerReferences": [owner("ReleaseRevision", name, revision.metadata.uid)],
        },
        "spec": {"selector": labels, "ports": [port.wire() for port in ports]},
    }


def read_route(release: Release, service: Object | None, slices: Iterable[Object]) -> Route:
    """Where the release's Service sends its traffic; an unreadable record counts as none."""
    if service is None:
        return Route(record=None, selected=None)
    return Route(
        record=read_record(service["metadata"].get("annotations", {}).get(ROUTE_ANNOTATION)),
        selected=_selected(release, service["spec"].get("selector") or {}),
        endpoints=ready_endpoints(release.metadata.name, slices),
        ports=served_ports(service),
        untouched=_untouched(service),
    )


def _selector(release: Release, record: RouteRecord) -> dict[str, str]:
    named = selection(release, record)
    revision = {} if named == EVERY else {REVISION_LABEL: named}
    return {RELEASE_LABEL: release.metadata.name, **revision}


def _selected(release: Release, selector: Mapping[str, str]) -> str | None:
    """What a selector names; anything but the two forms that are ours names nothing."""
    if selector.get(RELEASE_LABEL) != release.metadata.name:
        return None
    if len(selector) == 1:
        return EVERY
    return selector.get(REVISION_LABEL) if len(selector) == 2 else None


def write_record(record: RouteRecord) -> str:
    """The record as the annotation holds it."""
    fields = {key: value for key, value in asdict(record).items() if value is not None}
    return json.dumps({**fields, "at": format_time(record.at)}, sort_keys=True)


def read_record(text: str | None) -> RouteRecord | None:
    """The record of an annotation, or None when somebody made it unreadable."""
    if not text:
        return None
    try:
        fields = json.loads(text)
        record = RouteRecord(**{**fields, "at": datetime.fromisoformat(fields["at"])})
    except (ValueError, TypeError, KeyError):
        return None
    return record if _sound(record) else None


def _sound(record: RouteRecord) -> bool:
    """Whether its fields are what they should be; whoever decides relies on it.

    The last years of the calendar are none: nothing can be added to them.
    """
    texts: tuple[object, ...] = (record.revision, record.reason, record.message)
    names: tuple[object, ...] = (record.previous, record.action, record.candidate)
    shares: tuple[object, ...] = (record.weight, record.mirror)
    return (
        record.at.tzinfo is not None
        and record.at < _LATEST
        and all(isinstance(text, str) for text in texts)
        and all(name is None or isinstance(name, str) for name in names)
        and all(type(share) is int and 0 <= share <= 100 for share in shares)
    )


def recorded(route: Object) -> RouteRecord | None:
    """The record on an object that carries one."""
    return read_record((route["metadata"].get("annotations") or {}).get(ROUTE_ANNOTATION))


def newest(*records: RouteRecord | None) -> RouteRecord | None:
    """The record that was written last; where several objects carry one, it is one decision."""
    known = [record for record in records if record is not None]
    return max(known, key=lambda record: record.at, default=None)


def offers(service: Object, ports: Iterable[ServicePort]) -> bool:
    """Whether a Service has these ports; what somebody added leads to the same Pods."""
    return set(ports) <= set(served_ports(service))


def served_ports(service: Object) -> tuple[ServicePort, ...]:
    """Ports of a Service; one that no release could have asked for is passed over."""
    ports = []
    for port in service["spec"].get("ports") or ():
        with suppress(ValidationError):
            known = {key: value for key, value in port.items() if key != "nodePort"}
            ports.append(ServicePort.model_validate(known))
    return tuple(ports)


def _untouched(service: Object) -> bool:
    spec = service["spec"]
    return not spec.get("externalIPs") and not spec.get("publishNotReadyAddresses")


def ready_endpoints(release: str, slices: Iterable[Object]) -> frozenset[str]:
    """Names of the ready Pods in the slices of the release's own Service."""
    names = set()
    for item in slices:
        if item["metadata"].get("labels", {}).get("kubernetes.io/service-name") != release:
            continue
        for endpoint in item.get("endpoints") or ():
            target = endpoint.get("targetRef") or {}
            if endpoint.get("conditions", {}).get("ready") and target.get("kind") == "Pod":
                names.add(target["name"])
    return frozenset(names)
