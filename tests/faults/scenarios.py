"""What may go wrong with an API server, by name. Each plan is made anew and is the same each time.

A plan that fails a share of all calls takes its choice from a seed, so that a run can be repeated.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from tests.faults.faults import (
    Broken,
    Delayed,
    DoneButRefused,
    Dropped,
    Expired,
    Late,
    Refused,
    Repeated,
    ResetAfter,
    ResetBefore,
    Truncated,
)
from tests.faults.proxy import Call, Fault, Plan

SEED: Final = 20261124
# How many of the calls that a fault may befall it does befall.
SHARE: Final = 0.25
# Longer than the operator waits for an answer.
TOO_LATE: Final = 10.5
OUTAGE: Final = 6.0

Which = Callable[[Call], bool]


def _asked(call: Call) -> bool:
    return not call.watch


def _written(call: Call) -> bool:
    return call.write


def _changed(call: Call) -> bool:
    """Only what changes an object that is there can conflict with another change."""
    return call.method in ("PATCH", "PUT")


def _watched(call: Call) -> bool:
    return call.watch


def share(fault: Fault, which: Which) -> Plan:
    """Befalls a share of the calls."""
    chance = random.Random(SEED)  # noqa: S311 (a choice, no secret)
    return lambda call: fault if which(call) and chance.random() < SHARE else None


def each(fault: Fault, which: Which) -> Plan:
    """Befalls all of them."""
    return lambda call: fault if which(call) else None


def first(times: int, fault: Fault, which: Which) -> Plan:
    """Befalls each of them so many times, and then lets it pass."""
    befallen: Counter[tuple[str, str]] = Counter()

    def plan(call: Call) -> Fault | None:
        key = (call.method, call.path)
        if not which(call) or befallen[key] >= times:
            return None
        befallen[key] += 1
        return fault

    return plan


def outage(fault: Fault, begins: Which, seconds: float) -> Plan:
    """Befalls everything for a while, from the first call of a kind on."""
    ends: list[float] = []

    def plan(call: Call) -> Fault | None:
        if begins(call) and not ends:
            ends.append(time.monotonic() + seconds)
        return fault if ends and time.monotonic() < ends[0] else None

    return plan


def all_of(*plans: Plan) -> Plan:
    """The first fault that one of them has for a call."""
    return lambda call: next((fault for plan in plans if (fault := plan(call))), None)


def _starts(call: Call) -> bool:
    return (call.method, call.plural) == ("POST", "deployments")


def _moves(call: Call) -> bool:
    return (call.method, call.plural, call.name) == ("PATCH", "services", "shop")


def _starts_or_moves(call: Call) -> bool:
    return _starts(call) or _moves(call)


SCENARIOS: Final[Mapping[str, Callable[[], Plan]]] = {
    "429 with Retry-After": lambda: share(Refused(429, retry_after=1), _asked),
    "429 with a long Retry-After": lambda: first(1, Refused(429, retry_after=7), _starts_or_moves),
    "500": lambda: share(Refused(500), _asked),
    "500 after it was done": lambda: share(DoneButRefused(500), _written),
    "503": lambda: share(Refused(503), _asked),
    "409": lambda: share(Refused(409), _changed),
    "reset before": lambda: share(ResetBefore(), _asked),
    "reset after": lambda: share(ResetAfter(), _asked),
    "half an answer": lambda: share(Truncated(), _asked),
    "answered too late": lambda: first(1, Late(TOO_LATE), _starts_or_moves),
    "nobody there for a while": lambda: outage(ResetBefore(), _starts, OUTAGE),
    "watches refused with 429": lambda: first(2, Refused(429, retry_after=1), _watched),
    "watches refused with 503": lambda: first(2, Refused(503), _watched),
    "watches reset": lambda: first(2, ResetBefore(), _watched),
    "watches too old": lambda: first(2, Refused(410), _watched),
    "watches that grow too old": lambda: each(Expired(events=4), _watched),
    "watches that break": lambda: each(Broken(events=4), _watched),
    "events dropped": lambda: each(Dropped(life=3.0), _watched),
    "events late": lambda: each(Delayed(1.5), _watched),
    "events repeated": lambda: each(Repeated(), _watched),
    "everything": lambda: all_of(
        share(ResetAfter(), _written),
        share(Refused(429, retry_after=1), _asked),
        share(Refused(500), _asked),
        share(Broken(events=8), _watched),
        each(Repeated(), _watched),
    ),
}
