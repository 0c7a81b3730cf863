"""All objects of a kind, again after each change: a list, then watches that go on from it.

For those who look at a few objects for a while, such as a command line; the operator's own watches
are in `watching`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from .client import Kind, Object, Unavailable

# Failures in a row after which nobody believes any more that the API server comes back.
PATIENCE = 5
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0


class Watchable(Protocol):
    """An API server that can be listed and watched."""

    async def survey(
        self, kind: Kind, namespace: str | None, *, selector: str = "", fields: str = ""
    ) -> tuple[list[Object], str]:
        """All objects that the selectors pick, with the version that a watch goes on from."""

    def watch(
        self,
        kind: Kind,
        namespace: str | None,
        version: str,
        *,
        selector: str = "",
        fields: str = "",
    ) -> AsyncIterator[Object]:
        """Events from that version on, until the API server ends the watch."""


async def follow(
    api: Watchable,
    kind: Kind,
    namespace: str | None,
    *,
    selector: str = "",
    fields: str = "",
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[list[Object]]:
    """What there is now, and what there is after each change, until the caller stops.

    Raises:
        ApiError: The API server refused, or was not there `PATIENCE` times in a row.
    """
    failures = 0
    while True:  # ends with the caller, or after PATIENCE failures
        try:
            listed, version = await api.survey(kind, namespace, selector=selector, fields=fields)
            known = {obj["metadata"]["uid"]: obj for obj in listed}
            yield list(known.values())
            failures = 0
            async for event in api.watch(
                kind, namespace, version, selector=selector, fields=fields
            ):
                obj = event["object"]
                if event["type"] == "DELETED":
                    known.pop(obj["metadata"]["uid"], None)
                elif event["type"] in ("ADDED", "MODIFIED"):
                    known[obj["metadata"]["uid"]] = obj
                else:
                    continue
                yield list(known.values())
            # One that ends at once, again and again, shall not be a storm of lists.
            await sleep(FIRST_PAUSE)
        except Unavailable:
            failures += 1
            if failures == PATIENCE:
                raise
            await sleep(min(FIRST_PAUSE * 2.0**failures, LONGEST_PAUSE))
