"""The ways in which traffic moves, so that one scenario is played for each of them."""

from dataclasses import dataclass, replace
from typing import Any


# By name: the settings are dicts.
@dataclass(frozen=True, eq=False)
class Way:
    """A strategy, once by itself and once waiting for somebody's word."""

    name: str
    automatic: dict[str, Any]
    # Waits once the candidate has passed, and, where it gets a share, has that share.
    manual: dict[str, Any]
    # Whether users meet the candidate while it waits.
    shares: bool
    # Pods of the candidate that waits while what serves has three.
    waiting_of_three: int
    # Whether users come in by a gateway.
    gateway: bool = False

    def __str__(self) -> str:
        return self.name


BLUE_GREEN = Way(
    "blue-green",
    automatic={"strategy": {"blueGreen": {"promotion": "Automatic"}}},
    manual={"strategy": {"blueGreen": {"promotion": "Manual"}}},
    shares=False,
    waiting_of_three=3,
)
_STEP = [{"weight": 50, "hold": "1s"}]
_PAUSES = [{"weight": 30, "pause": True}, {"weight": 50, "pause": True}]
CANARY = Way(
    "canary",
    automatic={"strategy": {"canary": {"steps": _STEP}}},
    manual={"strategy": {"canary": {"steps": _PAUSES}}},
    shares=True,
    # Two of five are nearest to 30 %: what serves keeps its three.
    waiting_of_three=2,
)
CANARY_BY_GATEWAY = replace(CANARY, name="canary on a gateway", waiting_of_three=1, gateway=True)
BY_SERVICES = (BLUE_GREEN, CANARY)
WAYS = (*BY_SERVICES, CANARY_BY_GATEWAY)
