"""Plays a scenario in every way in which traffic can move, all of them at the same time.

Each has a release in a namespace of its own, with users of its own, so that they share nothing but
the operator and the machine. What came of it is written to `build/e2e/scenarios`.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.e2e.shop import Shop
from tests.e2e.ways import BY_SERVICES, WAYS, Way

RESULTS = Path(__file__).parents[2] / "build" / "e2e" / "scenarios"

Scenario = Callable[[Shop, Way], None]
# Gives a release that nobody applied yet.
OpenShop = Callable[[Way], Shop]


def in_each_way(scenario: Scenario) -> Callable[[OpenShop], None]:
    """A test that plays a scenario in every way."""

    def test(open_shop: OpenShop) -> None:
        # Only the local cluster has a gateway.
        local = os.environ.get("CLUSTER", "local") == "local"
        shops = {way: open_shop(way) for way in (WAYS if local else BY_SERVICES)}
        for shop in shops.values():
            # All of their users come from one machine.
            shop.rate /= len(shops)
        with ThreadPoolExecutor(len(shops)) as stages:
            playing = [stages.submit(_play, scenario, shop, way) for way, shop in shops.items()]
        played = [one.result() for one in playing]
        _write(scenario.__name__, [result for result, _ in played])
        errors = [error for _, error in played if error is not None]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup(f"{len(errors)} ways fail", errors)

    test.__name__ = scenario.__name__
    test.__doc__ = scenario.__doc__
    return test


@dataclass(frozen=True)
class Result:
    """What came of a scenario, in one way."""

    way: str
    passed: bool
    seconds: float
    requests: int = 0
    failed: int = 0


def _play(scenario: Scenario, shop: Shop, way: Way) -> tuple[Result, Exception | None]:
    began = time.monotonic()
    try:
        scenario(shop, way)
    except Exception as found:  # noqa: BLE001 - the other ways are played to their end
        found.add_note(f"by {way}, in namespace {shop.namespace}")
        return Result(way.name, passed=False, seconds=time.monotonic() - began), found
    seconds = time.monotonic() - began
    if shop.users is None:
        return Result(way.name, passed=True, seconds=seconds), None
    seen = shop.users.so_far()
    return Result(way.name, True, seconds, seen.requests, seen.failed), None


def _write(scenario: str, results: Sequence[Result]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(result) for result in results], indent=2)
    (RESULTS / f"{scenario.removeprefix('test_')}.json").write_text(text, encoding="utf-8")
