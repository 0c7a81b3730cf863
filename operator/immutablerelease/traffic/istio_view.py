"""Is a VirtualService what it should be, and what does Istio say of it, where it says anything?

An installation writes no status unless it is told to. So one that is not there says nothing, and
one that complains of this very version holds a step up. Neither is proof, and no proxy of a mesh
can be asked: time is what is left.

https://istio.io/latest/docs/reference/config/config-status/
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from immutablerelease.api.objects import Release, Revision
from immutablerelease.core.phases.sharing import SETTLE
from immutablerelease.core.snapshot import RouteRecord, RouterView

from .backends import Backends
from .faithful import faithful
from .istio import destination_rule, virtual_service
from .service import recorded

Object = Mapping[str, Any]

MISSING: Final = (
    "the cluster does not have the kinds of Istio: install it, or take spec.traffic.istio out"
)
# Reason of the condition PassedAnalysis where it is more than a warning.
_ERRORS: Final = "errorsFound"


def view(
    release: Release,
    route: Object | None,
    rules: Mapping[str, Object],
    revisions: Mapping[str, Revision],
    backends: Backends,
) -> RouterView:
    """What the VirtualService of a release says, and what is made of it.

    `rules` are the DestinationRules of its revisions.
    """
    lacking = frozenset(_lacking(release, rules, revisions, backends))
    if route is None:
        return RouterView(lacking=lacking, message="there is no VirtualService yet")
    record = recorded(route)
    if record is None or release.spec.traffic.istio is None:
        told = "the VirtualService is to be changed"
        return RouterView(record=record, faithful=False, lacking=lacking, message=told)
    drained = _drained(release, record, route, backends)
    leaving = None if drained else record.previous
    if drained is None:
        told = "the VirtualService was changed"
    elif lost := sorted(lacking & {record.revision, record.candidate, leaving}):
        told = f"the DestinationRule of {', '.join(lost)} is missing or was changed"
    else:
        complaint = _complaint(route)
        return RouterView(
            record=record,
            accepted=not complaint,
            proven=None,
            leaving=leaving,
            lacking=lacking,
            message=complaint or f"its proxies cannot be asked and are given {SETTLE:g} s",
        )
    return RouterView(record=record, faithful=False, lacking=lacking, message=told)


def _lacking(
    release: Release,
    rules: Mapping[str, Object],
    revisions: Mapping[str, Revision],
    backends: Backends,
) -> Iterator[str]:
    for name, revision in revisions.items():
        found = rules.get(name)
        if name not in backends.services:
            continue
        if found is None or not faithful(found, destination_rule(release, revision)):
            yield name


def _drained(
    release: Release, record: RouteRecord, route: Object, backends: Backends
) -> bool | None:
    """In which of its two forms a VirtualService was written; None when it is neither."""
    for drained in (True, False):
        if faithful(route, virtual_service(release, record, backends, drained=drained)):
            return drained
    return None


def _complaint(route: Object) -> str:
    """What Istio says against this version; what it said of an earlier one counts for nothing."""
    status = route.get("status") or {}
    generation = route["metadata"].get("generation", 0)
    for condition in status.get("conditions") or ():
        if _generation(condition, status) != generation or condition.get("status") != "False":
            continue
        if condition.get("type") == "Reconciled":
            return f"it is on its way to the proxies: {condition.get('message', '')}"
        if condition.get("type") == "PassedAnalysis" and condition.get("reason") == _ERRORS:
            return f"its analysis found errors: {_errors(status) or condition.get('message', '')}"
    return ""


def _generation(condition: Object, status: Object) -> int | None:
    """The version that is spoken of; a number of 64 bits may come as text."""
    told = condition.get("observedGeneration", status.get("observedGeneration"))
    with suppress(TypeError, ValueError):
        return int(told)
    return None


def _errors(status: Object) -> str:
    found = [
        message.get("type") or {}
        for message in status.get("validationMessages") or ()
        if message.get("level") == "ERROR"
    ]
    return ", ".join(f"{one.get('code', '')} {one.get('name', '')}".strip() for one in found)
