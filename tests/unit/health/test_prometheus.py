"""Queries against servers that answer with one value, none, many, nonsense, or not at all."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from immutablerelease.api.probe import Compare, MinimumSamples, PrometheusProbe, Threshold
from immutablerelease.health.errors import Failed, NoEvidence
from immutablerelease.health.http import new_session
from immutablerelease.health.prometheus import Names, Servers, ask

NAMES = Names("web", "shop", "shop-new", "shop-old")
Answer = Callable[[str], Any]


def vector(*values: object) -> dict[str, Any]:
    result = [{"metric": {}, "value": [0, str(value)]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def scalar(value: object) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "scalar", "result": [0, str(value)]}}


class Server:
    """A Prometheus that knows the answers to some queries."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.path == "/api/v1/query"
        query = str((await request.post())["query"])
        self.asked.append(query)
        self.headers.append(request.headers)
        answer = self.answers[query]
        if isinstance(answer, web.Response):
            return answer
        response = web.json_response(answer)
        # As Prometheus does: packed for whoever can unpack it.
        response.enable_compression()
        return response


@contextlib.asynccontextmanager
async def serving(
    answers: Mapping[str, Any] | None = None,
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None,
) -> AsyncIterator[Server]:
    server = Server(answers or {})
    runner = web.ServerRunner(web.Server(handle or server.handle), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with new_session() as session:
        yield session


def probe(query: str = "q", **fields: Any) -> PrometheusProbe:
    fields = fields or {"threshold": Threshold(max=0.1)}
    return PrometheusProbe(query=query, **fields)


async def told(
    asked: PrometheusProbe,
    server: Server,
    session: aiohttp.ClientSession,
    *,
    names: Names = NAMES,
    timeout: float = 5.0,
    servers: Servers | None = None,
) -> str:
    found = servers or Servers(server.url)
    return await ask(asked, names, timeout=timeout, servers=found, session=session)


@pytest.mark.parametrize("answer", [vector(0.1), scalar(0.1)], ids=["vector", "scalar"])
async def test_one_value_within_its_bounds_passes(
    session: aiohttp.ClientSession, answer: Any
) -> None:
    async with serving({"q": answer}) as server:
        assert await told(probe(), server, session) == "got 0.1"


@pytest.mark.parametrize(
    ("value", "threshold", "said"),
    [
        ("0.1001", Threshold(max=0.1), "got 0.1001, at most 0.1 is allowed"),
        ("+Inf", Threshold(max=0.1), "got inf, at most 0.1 is allowed"),
        ("0.98", Threshold(min=0.99), "got 0.98, at least 0.99 is needed"),
        ("7", Threshold(min=1, max=5), "got 7, at most 5 is allowed"),
    ],
)
async def test_what_is_out_of_bounds_fails_with_both_numbers(
    session: aiohttp.ClientSession, value: str, threshold: Threshold, said: str
) -> None:
    async with serving({"q": vector(value)}) as server:
        with pytest.raises(Failed, match=f"^{re.escape(said)}$"):
            await told(probe(threshold=threshold), server, session)


async def test_bounds_themselves_pass(session: aiohttp.ClientSession) -> None:
    async with serving({"q": vector(5)}) as server:
        assert await told(probe(threshold=Threshold(min=5, max=5)), server, session) == "got 5"


NOTHING = {
    "no sample": (vector(), "no sample"),
    "two samples": (vector(1, 2), "2 samples: a query must give one value, as sum(...) does"),
    "no number": (vector("NaN"), "the value is not a number (NaN)"),
    "a number that is none": (vector("many"), "the sample has no value that is a number"),
    "a matrix": (
        {"status": "success", "data": {"resultType": "matrix", "result": []}},
        "the query gives a matrix",
    ),
    "a sample without a value": (
        {"status": "success", "data": {"resultType": "vector", "result": [{}]}},
        "the sample has no value",
    ),
    "a vector that is no list": (
        {"status": "success", "data": {"resultType": "vector", "result": {"a": 1}}},
        "the query gives a vector",
    ),
    "no data": ({"status": "success"}, "the query gives a None"),
    "JSON that is no object": ([], "HTTP status 200"),
    "a query with a mistake": (
        web.Response(
            status=400, text=json.dumps({"status": "error", "error": "parse error\x1b[31m: bad"})
        ),
        "parse error [31m: bad",
    ),
    "no JSON": (web.Response(text="<html>"), "HTTP status 200"),
    "an error": (web.Response(status=503, text="busy"), "HTTP status 503"),
    "a good answer that is an error": (
        web.Response(status=500, text=json.dumps(vector(0))),
        "HTTP status 500",
    ),
    "another place": (
        web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        "HTTP status 302",
    ),
    "too much": (web.Response(text="x" * 100_000), "larger than 64 KiB"),
    "deep nesting": (web.Response(text="[" * 50_000), "HTTP status 200"),
}


@pytest.mark.parametrize(("answer", "said"), NOTHING.values(), ids=NOTHING.keys())
async def test_this_is_no_evidence(session: aiohttp.ClientSession, answer: Any, said: str) -> None:
    async with serving({"q": answer}) as server:
        with pytest.raises(NoEvidence, match=re.escape(said)):
            await told(probe(), server, session)


async def test_nobody_there_is_no_evidence(session: aiohttp.ClientSession) -> None:
    async with serving() as server:
        pass
    with pytest.raises(NoEvidence, match="connection refused"):
        await told(probe(), server, session)


async def test_a_server_that_never_answers_is_no_evidence_in_time(
    session: aiohttp.ClientSession,
) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with serving(handle=hang) as server:
        with pytest.raises(NoEvidence, match=r"no answer within 0\.1 s"):
            await asyncio.wait_for(told(probe(), server, session, timeout=0.1), 5)


async def test_placeholders_are_filled_and_anchors_let_be(session: aiohttp.ClientSession) -> None:
    query = 'up{n="$namespace",a="$release",r=~"^$revision-.*$"}'
    async with serving({'up{n="web",a="shop",r=~"^shop-new-.*$"}': vector(0)}) as server:
        assert await told(probe(query), server, session) == "got 0"


def test_names_cannot_end_the_string_that_they_stand_in() -> None:
    names = Names('a"} or vector(0) #', "b\\", "c\n'")
    filled = names.fill('{n="$namespace",a="$release",r="$revision"}', names.revision)
    assert filled == '{n="a\\"} or vector(0) #",a="b\\\\",r="c\\n\\\'"}'


SAMPLES = MinimumSamples(query="count $revision", count=20)


async def test_too_few_samples_are_no_evidence(session: aiohttp.ClientSession) -> None:
    asked = probe("bad $revision", threshold=Threshold(max=0.1), minimum_samples=SAMPLES)
    few = {"bad shop-new": vector(1), "count shop-new": vector(19)}
    async with serving(few) as server:
        with pytest.raises(NoEvidence, match="19 samples of shop-new, 20 are needed"):
            await told(asked, server, session)
        server.answers = few | {"count shop-new": vector(20)}
        with pytest.raises(Failed, match=r"got 1, at most 0\.1 is allowed"):
            await told(asked, server, session)


@pytest.mark.parametrize(
    ("compare", "new", "old", "passes"),
    [
        (Compare(max_ratio=1.5), 0.3, 0.2, True),
        (Compare(max_ratio=1.5), 0.31, 0.2, False),
        (Compare(max_ratio=1.5), 0.0, 0.0, True),
        (Compare(max_ratio=1.5), 0.001, 0.0, False),
        (Compare(max_difference=0.1), 0.3, 0.2, True),
        (Compare(max_difference=0.1), 0.31, 0.2, False),
        (Compare(max_ratio=2, max_difference=0.1), 0.05, 0.0, True),
        (Compare(max_ratio=2, max_difference=0.1), 0.39, 0.2, True),
        (Compare(max_ratio=2, max_difference=0.1), 0.41, 0.2, False),
        (Compare(max_ratio=2), -1, -3, True),
    ],
)
async def test_a_candidate_may_be_this_much_worse(
    session: aiohttp.ClientSession, compare: Compare, new: float, old: float, passes: bool
) -> None:
    answers = {"q shop-new": vector(new), "q shop-old": vector(old)}
    async with serving(answers) as server:
        with contextlib.nullcontext() if passes else pytest.raises(Failed, match="shop-old has"):
            await told(probe("q $revision", compare=compare), server, session)


@pytest.mark.parametrize("side", ["shop-new", "shop-old"])
@pytest.mark.parametrize("answer", [vector(), vector("NaN"), vector("+Inf")])
async def test_nothing_on_either_side_compares_with_nothing(
    session: aiohttp.ClientSession, side: str, answer: Any
) -> None:
    answers = {"q shop-new": vector(1), "q shop-old": vector(1)} | {f"q {side}": answer}
    async with serving(answers) as server:
        with pytest.raises(NoEvidence):
            await told(probe("q $revision", compare=Compare(max_ratio=9)), server, session)


async def test_both_sides_need_their_samples(session: aiohttp.ClientSession) -> None:
    asked = probe("q $revision", compare=Compare(max_ratio=9), minimum_samples=SAMPLES)
    answers = {
        "q shop-new": vector(1),
        "q shop-old": vector(1),
        "count shop-new": vector(100),
        "count shop-old": vector(3),
    }
    async with serving(answers) as server:
        with pytest.raises(NoEvidence, match="3 samples of shop-old, 20 are needed"):
            await told(asked, server, session)


async def test_with_nothing_to_compare_with_the_threshold_decides(
    session: aiohttp.ClientSession,
) -> None:
    alone = Names("web", "shop", "shop-new")
    asked = probe("q $revision", compare=Compare(max_ratio=1), threshold=Threshold(max=5))
    async with serving({"q shop-new": vector(5)}) as server:
        assert await told(asked, server, session, names=alone) == "got 5"
        assert server.asked == ["q shop-new"]


async def test_a_server_that_the_operator_was_not_told_of_is_not_asked(
    session: aiohttp.ClientSession,
) -> None:
    async with serving({"q": vector(0)}) as server, serving({"q": vector(0)}) as other:
        named = probe(address=other.url, threshold=Threshold(max=1))
        with pytest.raises(NoEvidence, match="not among the servers"):
            await told(named, server, session)
        assert other.asked == []
        listed = Servers(server.url, others=(other.url + "/",))
        assert await told(named, server, session, servers=listed) == "got 0"
        assert (len(server.asked), len(other.asked)) == (0, 1)


async def test_without_any_server_it_is_told_where_to_name_one(
    session: aiohttp.ClientSession,
) -> None:
    async with serving() as server:
        with pytest.raises(NoEvidence, match=r"set prometheus\.url of its chart"):
            await told(probe(), server, session, servers=Servers())


async def test_the_token_goes_to_the_operators_own_server_alone(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    async with serving({"q": vector(0)}) as server, serving({"q": vector(0)}) as other:
        servers = Servers(server.url, (other.url,), token)
        await told(probe(), server, session, servers=servers)
        token.write_text("second")
        await told(probe(), server, session, servers=servers)
        named = probe(address=other.url, threshold=Threshold(max=1))
        await told(named, server, session, servers=servers)
        token.unlink()
        with pytest.raises(NoEvidence, match=r"the token for .* cannot be read"):
            await told(probe(), server, session, servers=servers)
    sent = [headers.get("Authorization") for headers in (*server.headers, *other.headers)]
    assert sent == ["Bearer first", "Bearer second", None]
