"""What is followed is listed once, then watched, and listed again when a watch can't go on."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from immutablerelease.runtime.client import PODS, Forbidden, Object, Unavailable
from immutablerelease.runtime.following import PATIENCE, follow

from .test_kubeapi import Answer, Harness, answer, hang_up, harness, status

__all__ = ["harness"]


def pod(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "labels": labels}}


def listed(version: str, *pods: Object) -> Answer:
    return answer(200, {"metadata": {"resourceVersion": version}, "items": list(pods)})


def streamed(*events: tuple[str, Object], torn: bool = False) -> Answer:
    """Events in pieces that end anywhere; then the end, or a broken connection."""

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        text = b"".join(
            json.dumps({"type": type_, "object": obj}).encode() + b"\n" for type_, obj in events
        )
        for start in range(0, len(text), 7):
            await response.write(text[start : start + 7])
        if torn:
            hang_up(request)
        return response

    return respond


def followed(harness: Harness) -> AsyncIterator[list[Object]]:
    return follow(harness.api, PODS, "web", selector="a=b", sleep=harness.sleep)


async def take(count: int, objects: AsyncIterator[list[Object]]) -> list[list[str]]:
    """Names in each of the first states."""
    states = []
    async for state in objects:
        states.append([obj["metadata"]["name"] for obj in state])
        if len(states) == count:
            break
    return states


async def test_each_change_gives_the_whole_anew(harness: Harness) -> None:
    harness.script(
        listed("5", pod("a")),
        streamed(
            ("ADDED", pod("b")),
            ("BOOKMARK", pod("")),
            ("MODIFIED", pod("a", x="y")),
            ("DELETED", pod("a")),
        ),
    )
    states = await take(4, followed(harness))
    assert states == [["a"], ["a", "b"], ["a", "b"], ["b"]]
    watch = harness.server.requests[1].query
    assert (watch["watch"], watch["resourceVersion"]) == ("true", "5")
    assert watch["labelSelector"] == "a=b"


async def test_an_object_longer_than_any_buffer_is_read_whole(harness: Harness) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        event = {"type": "ADDED", "object": pod("long", text="x" * 300_000)}
        return web.Response(body=json.dumps(event).encode() + b"\n")

    harness.script(listed("1"), respond)
    assert await take(2, followed(harness)) == [[], ["long"]]


@pytest.mark.parametrize(
    "end",
    [
        streamed(),
        streamed(torn=True),
        streamed(("ERROR", {"code": 410, "message": "too old resource version"})),
        status(410, "too old resource version", "Expired"),
        status(503, "shutting down"),
    ],
    ids=["ended", "torn", "expired on the way", "expired before", "unavailable"],
)
async def test_after_the_end_of_a_watch_all_is_listed_again(harness: Harness, end: Answer) -> None:
    harness.script(listed("1", pod("a")), end, listed("9", pod("b")))
    assert await take(2, followed(harness)) == [["a"], ["b"]]
    assert all(pause > 0 for pause in harness.pauses)
    assert harness.pauses, "one that ends at once shall not be a storm"


async def test_who_may_not_watch_learns_it_at_once(harness: Harness) -> None:
    harness.script(listed("1"), status(403, "pods is forbidden"))
    with pytest.raises(Forbidden):
        await take(2, followed(harness))


async def test_a_server_that_stays_away_is_given_up(harness: Harness) -> None:
    gone = [status(503, "away")] * (4 * PATIENCE)
    harness.script(*gone)
    with pytest.raises(Unavailable):
        await take(1, followed(harness))
    assert len(harness.server.requests) == 4 * PATIENCE
