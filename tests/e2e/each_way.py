"""Plays a scenario in every way in which traffic can move, all of them at the same time.

Each has a release in a namespace of its own, with users of its own, so that they share nothing but
the operator and the machine. What came of each is written to `build/e2e/scenarios.jsonl`.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.e2e.shop import Shop
from tests.e2e.ways import BY_SERVICES, WAYS, Way

RESULTS = Path(__file__).parents[2] / "build" / "e2e" / "scenarios.jsonl"

Scenario = Callable[[Shop, Way], None]
# Gives a release that nobody applied yet.
OpenShop = Callable[[Way], Shop]


def in_each_way(scenario: Scenario) -> Callable[[OpenShop], None]:
    """A test that plays a scenario in every way."""

    def test(open_shop: OpenShop) -> None:
        # Only the local cluster has a gateway.
        local = os.environ.get("CLUSTER", "local") == "local"
        shops = {way: open_shop(way) for way in (WAYS if local else BY_SERVICES)}
        with ThreadPoolExecutor(len(shops)) as stages:
            played = [stages.submit(_play, scenario, shop, way) for way, shop in shops.items()]
        errors = [error for error in (one.result() for one in played) if error is not None]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup(f"{len(errors)} ways fail", errors)

    test.__name__ = scenario.__name__
    test.__doc__ = scenario.__doc__
    return test


def _play(scenario: Scenario, shop: Shop, way: Way) -> Exception | None:
    began = time.monotonic()
    error: Exception | None = None
    try:
        scenario(shop, way)
    except Exception as found:  # noqa: BLE001 - the other ways are played to their end
        found.add_note(f"by {way}, in namespace {shop.namespace}")
        error = found
    seen = shop.users.so_far() if shop.users is not None and error is None else None
    _write(
        {
            "scenario": scenario.__name__.removeprefix("test_"),
            "way": way.name,
            "passed": error is None,
            "seconds": round(time.monotonic() - began, 1),
            "requests": seen.requests if seen else 0,
            "failed": seen.failed if seen else 0,
        }
    )
    return error


def _write(result: dict[str, Any]) -> None:
    """A line of its own, since several are written at the same time."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")
