"""Is an HTTPRoute what it should be, and do all that route by it say that they do?

A status is a claim about the configuration, not about the data plane; `proof` asks that.
Conditions: https://gateway-api.sigs.k8s.io/reference/spec/#routeparentstatus
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from immutablerelease.api.objects import Release
from immutablerelease.api.traffic import ParentReference
from immutablerelease.core.snapshot import RouteRecord, RouterView

from .backends import Backends
from .faithful import faithful
from .gateway import MIRRORING, http_route, parent_reference, token
from .proof import Proof
from .service import recorded

Object = Mapping[str, Any]

_WANTED: Final = (("Accepted", "True"), ("ResolvedRefs", "True"))


def view(
    release: Release, route: Object | None, backends: Backends, proof: Proof | None
) -> RouterView:
    """What the HTTPRoute of a release says, and what is made of it."""
    if route is None:
        return RouterView(message="there is no HTTPRoute yet")
    record = recorded(route)
    if record is None or release.spec.traffic.gateway is None:
        return RouterView(record=record, faithful=False, message="the HTTPRoute is to be changed")
    form = _form(release, record, route, backends)
    if form is None:
        return RouterView(record=record, faithful=False, message="the HTTPRoute was changed")
    complaint = unaccepted(release, route)
    if not form.mirrors:
        complaint = f"no GatewayClass of its parents says that it supports {MIRRORING}"
    known = proof if proof is not None and proof.token == token(route) else None
    unproven = known.message if known is not None else "the gateway was not asked yet"
    return RouterView(
        record=record,
        accepted=not complaint,
        proven=known is not None and known.proven,
        leaving=None if form.drained else record.previous,
        message=complaint or unproven,
    )


@dataclass(frozen=True)
class _Form:
    """In which of the forms that one record has an HTTPRoute was written."""

    mirrors: bool
    drained: bool


def _form(release: Release, record: RouteRecord, route: Object, backends: Backends) -> _Form | None:
    for mirrors in (True, False):
        for drained in (True, False):
            may = replace(backends, mirrors=mirrors)
            if faithful(route, http_route(release, record, may, drained=drained)):
                return _Form(mirrors, drained)
    return None


def unaccepted(release: Release, route: Object) -> str:
    """What a parent of an HTTPRoute is missing, or nothing when all have accepted it."""
    gateway = release.spec.traffic.gateway
    parents = gateway.parent_refs if gateway is not None else ()
    for parent in parents:
        if complaint := _complaint(release.metadata.namespace, parent, route):
            return complaint
    return ""


def _complaint(namespace: str, parent: ParentReference, route: Object) -> str:
    name = f"{parent.kind} {parent.namespace or namespace}/{parent.name}"
    wanted = _identity(parent_reference(parent), namespace)
    statuses = [
        status
        for status in (route.get("status") or {}).get("parents") or ()
        if _identity(status.get("parentRef") or {}, namespace) == wanted
    ]
    if not statuses:
        return f"{name} has not said anything about the HTTPRoute yet"
    generation = route["metadata"].get("generation", 0)
    for status in statuses:
        if complaint := _missing(status, generation):
            return f"{name}: {complaint}"
    return ""


def _missing(status: Object, generation: int) -> str:
    """Every controller that answers for a parent must have accepted, each the newest version."""
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    for kind, wanted in _WANTED:
        condition = conditions.get(kind)
        if condition is None:
            return f"{kind} is not told yet"
        if condition.get("observedGeneration", 0) < generation:
            return f"{kind} is told of an older version of the HTTPRoute"
        if condition["status"] != wanted:
            return f"{kind} is {condition['status']}: {_words(condition)}"
    partial = conditions.get("PartiallyInvalid")
    if partial is not None and partial["status"] == "True":
        return f"a part of the HTTPRoute is invalid: {_words(partial)}"
    return ""


def _words(condition: Object) -> str:
    reason, message = condition.get("reason", ""), condition.get("message", "")
    return f"{reason}: {message}" if message else str(reason)


def _identity(reference: Object, namespace: str) -> tuple[Any, ...]:
    return (
        reference.get("group", "gateway.networking.k8s.io"),
        reference.get("kind", "Gateway"),
        reference.get("namespace", namespace),
        reference.get("name"),
        reference.get("sectionName"),
        reference.get("port"),
    )
