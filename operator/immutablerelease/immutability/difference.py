"""Is a live Pod template still the one that was written?

The API server keeps no text: it fills in defaults, drops what is empty and writes quantities in a
form of its own. None of that is a change.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from kubernetes.utils.quantity import parse_quantity

Object = Mapping[str, Any]

# Fields that the API server never fills in by itself; one that appears was put there by somebody.
_NEVER_DEFAULTED: Final = frozenset(
    {
        "args",
        "command",
        "env",
        "envFrom",
        "ephemeralContainers",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "initContainers",
        "lifecycle",
        "nodeName",
        "volumeMounts",
        "volumes",
    }
)
# Fields in which an empty text or a zero stands for the default, as if they were not there.
_EMPTY_IS_DEFAULT: Final = frozenset(
    {
        "apiVersion",
        "dnsPolicy",
        "failureThreshold",
        "imagePullPolicy",
        "path",
        "periodSeconds",
        "protocol",
        "restartPolicy",
        "schedulerName",
        "scheme",
        "successThreshold",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "timeoutSeconds",
    }
)
# Maps of quantities by resource, and fields that are one.
_QUANTITIES: Final = frozenset({"limits", "requests", "overhead"})
_QUANTITY: Final = frozenset({"divisor", "sizeLimit"})


def difference(wanted: Any, live: Any, path: str = "template") -> str:
    """First place where a live template is not what was written, or nothing.

    Maps of the live object may hold more than was written, because of defaults; lists may not, and
    neither may fields whose presence alone changes what runs.
    """
    if isinstance(wanted, Mapping):
        return _map_difference(wanted, {} if live is None else live, path)
    if isinstance(wanted, list):
        return _list_difference(wanted, [] if live is None else live, path)
    return "" if _equal(wanted, live) else f"{path} is {live!r}, expected {wanted!r}"


def _list_difference(wanted: Sequence[Any], live: Any, path: str) -> str:
    if not isinstance(live, list) or len(live) != len(wanted):
        return f"{path} has other entries"
    pairs = enumerate(zip(wanted, live, strict=True))
    found = (difference(ours, theirs, f"{path}[{at}]") for at, (ours, theirs) in pairs)
    return next((text for text in found if text), "")


def _map_difference(wanted: Object, live: Any, path: str) -> str:
    if not isinstance(live, Mapping):
        return f"{path} is missing"
    for key, value in wanted.items():
        if text := _field_difference(key, value, live.get(key), f"{path}.{key}"):
            return text
    empty = (key for key in _NEVER_DEFAULTED & live.keys() if not wanted.get(key))
    added = sorted(key for key in empty if live[key])
    return f"{path}.{added[0]} was added" if added else ""


def _field_difference(key: str, wanted: Any, live: Any, path: str) -> str:
    # Null is absent.
    if wanted is None or (wanted in ("", 0) and key in _EMPTY_IS_DEFAULT):
        return ""
    if key in _QUANTITIES and isinstance(wanted, Mapping) and isinstance(live, Mapping):
        found = ((name, _quantity_difference(wanted[name], live.get(name))) for name in wanted)
        return next((f"{path}.{name} {text}" for name, text in found if text), "")
    if key in _QUANTITY:
        text = _quantity_difference(wanted, live)
        return f"{path} {text}" if text else ""
    return difference(wanted, live, path)


def _quantity_difference(wanted: Any, live: Any) -> str:
    try:
        same = _thousandths(wanted) == _thousandths(live)
    except ValueError:
        same = wanted == live
    return "" if same else f"is {live!r}, expected {wanted!r}"


def _thousandths(quantity: Any) -> int:
    """A quantity as the API server rounds it; what is absent is zero.

    A number is what its digits say, as in the manifest: no float is exactly 0.05.
    """
    text = "0" if quantity is None else str(quantity)
    value: Decimal = parse_quantity(text)  # type: ignore[no-untyped-call]
    return math.ceil(value * 1000)


def _equal(wanted: Any, live: Any) -> bool:
    # Ports may come back as text or number, an empty text may come back as nothing.
    return wanted == live or str(wanted) == str(live) or (wanted in ("", False, 0) and live is None)
