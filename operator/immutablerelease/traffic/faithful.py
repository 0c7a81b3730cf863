"""Does an object direct requests as the one that was meant to be written?"""

from collections.abc import Mapping
from typing import Any, Final

Object = Mapping[str, Any]

# Fields that change where requests go. Others may come by defaults of a newer version of the kind.
_DIRECTING: Final = frozenset(
    {
        "parentRefs",
        "hostnames",
        "rules",
        "matches",
        "filters",
        "backendRefs",
        "headers",
        "queryParams",
        "method",
        "timeouts",
        "retry",
        "namespace",
        "sectionName",
        "port",
        "hosts",
        "gateways",
        "exportTo",
        "http",
        "tcp",
        "tls",
        "match",
        "route",
        "destination",
        "host",
        "subset",
        "subsets",
        "labels",
        "weight",
        "redirect",
        "directResponse",
        "delegate",
        "rewrite",
        "fault",
        "mirror",
        "mirrors",
        "uri",
        "authority",
        "withoutHeaders",
        "sourceLabels",
        "sourceNamespace",
    }
)


def faithful(found: Object, wanted: Object) -> bool:
    """Whether an object directs as the one that was meant to be written."""
    return _directs_as(found["spec"], wanted["spec"])


def _directs_as(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return (
            isinstance(found, Mapping)
            and all(key in found and _directs_as(found[key], wanted[key]) for key in wanted)
            and not any(found[key] for key in _DIRECTING & found.keys() - wanted.keys())
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(map(_directs_as, found, wanted))
        )
    return bool(found == wanted)
