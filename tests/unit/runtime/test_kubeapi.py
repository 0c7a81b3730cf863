"""The client against an API server that misbehaves on request."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from immutablerelease.api import kinds
from immutablerelease.runtime import client, kubeapi
from immutablerelease.runtime.client import (
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    PODS,
    SERVICES,
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    Kind,
    NamespaceGoing,
    NotFound,
    Unavailable,
)
from immutablerelease.runtime.kubeapi import KubeApi, Limits

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
SERVICE = {"metadata": {"name": "shop", "namespace": "web"}}


def answer(status: int, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    async def respond(request: web.Request) -> web.Response:
        return web.json_response(body or {}, status=status, headers=headers)

    return respond


def status(code: int, message: str, reason: str = "", **headers: str) -> Answer:
    body = {"kind": "Status", "message": message, "reason": reason, "code": code}
    return answer(code, body, {key.replace("_", "-"): value for key, value in headers.items()})


def hang_up(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


async def reset(request: web.Request) -> web.StreamResponse:
    hang_up(request)
    return web.Response()


class Patience:
    """Time for an answer, which is over when the test has it, and not when the machine is slow."""

    def __call__(self, seconds: float) -> asyncio.Timeout:
        self._last = asyncio.timeout(None)
        return self._last

    def end(self) -> None:
        self._last.reschedule(asyncio.get_running_loop().time())


PATIENCE = web.AppKey("patience", Patience)


async def hang(request: web.Request) -> web.StreamResponse:
    request.app[PATIENCE].end()
    await asyncio.sleep(5)
    return web.Response()


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"kind":')
    hang_up(request)
    return response


class Server:
    """Answers with what is scripted, and keeps what it was asked."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.requests: list[web.Request] = []
        self.bodies: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.text())
        return await self.script.pop(0)(request)


class Harness:
    def __init__(self, server: Server, url: str, patience: Patience) -> None:
        self.server = server
        self.url = url
        self.pauses: list[float] = []
        self.observed: list[tuple[str, str]] = []
        self.loads = 0
        self.now = 0.0
        self.api = KubeApi(
            Configuration(host=url),
            load=self.load,
            limits=Limits(timeout=1.5),
            observe=lambda verb, code, seconds: self.observed.append((verb, code)),
            sleep=self.sleep,
            timeout=patience,
            clock=lambda: self.now,
            jitter=random.Random(7),  # noqa: S311
        )

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def load(self, configuration: Configuration) -> None:
        self.loads += 1
        configuration.api_key["BearerToken"] = f"Bearer token-{self.loads}"

    def script(self, *answers: Answer) -> None:
        self.server.script = list(answers)


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    server = Server()
    app = web.Application()
    app[PATIENCE] = patience = Patience()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    harness = Harness(server, f"http://{host}:{port}", patience)
    yield harness
    await harness.api.close()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("kind", "served"),
    [
        (client.RELEASES, kinds.RELEASE),
        (client.REVISIONS, kinds.REVISION),
        (client.POLICIES, kinds.POLICY),
        (client.ACTIONS, kinds.ACTION),
    ],
    ids=lambda kind: kind.plural,
)
def test_the_client_asks_for_the_kinds_that_the_crds_serve(kind: Kind, served: kinds.Kind) -> None:
    assert (kind.kind, kind.plural) == (served.name, served.plural)
    assert kind.namespaced == (served.scope == "Namespaced")


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "subresource", "path"),
    [
        (PODS, "web", "a", "", "/api/v1/namespaces/web/pods/a"),
        (PODS, None, "", "", "/api/v1/pods"),
        (DEPLOYMENTS, "web", "a", "status", "/apis/apps/v1/namespaces/web/deployments/a/status"),
        (NAMESPACES, "", "web", "", "/api/v1/namespaces/web"),
        (PODS, "web", "../x?y", "", "/api/v1/namespaces/web/pods/..%2Fx%3Fy"),
    ],
)
def test_paths(kind: Kind, namespace: str, name: str, subresource: str, path: str) -> None:
    assert kind.path(namespace, name, subresource) == path


async def test_get_returns_the_dict(harness: Harness) -> None:
    harness.script(answer(200, SERVICE))
    assert await harness.api.get(SERVICES, "web", "shop") == SERVICE
    assert harness.server.requests[0].path == "/api/v1/namespaces/web/services/shop"
    assert harness.observed == [("get", "200")]


async def test_apply_is_a_forced_server_side_apply_of_the_operators_manager(
    harness: Harness,
) -> None:
    harness.script(answer(200, SERVICE))
    await harness.api.apply(SERVICES, "web", SERVICE, subresource="status")
    request = harness.server.requests[0]
    assert request.method == "PATCH"
    assert request.path == "/api/v1/namespaces/web/services/shop/status"
    assert dict(request.query) == {"fieldManager": "immutable-release-operator", "force": "true"}
    assert request.content_type == "application/apply-patch+yaml"
    assert json.loads(harness.server.bodies[0]) == {
        "apiVersion": "v1",
        "kind": "Service",
        **SERVICE,
    }


async def test_delete_names_the_uid_that_it_means(harness: Harness) -> None:
    harness.script(answer(200, {"kind": "Status"}))
    await harness.api.delete(PODS, "web", "a", uid="u1", propagation="Foreground")
    assert json.loads(harness.server.bodies[0]) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": "u1"},
    }


async def test_a_list_is_read_page_by_page_and_its_items_say_what_they_are(
    harness: Harness,
) -> None:
    harness.script(
        answer(200, {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]}),
        answer(200, {"metadata": {}, "items": [{"metadata": {"name": "b"}}]}),
    )
    found = await harness.api.list(PODS, None, selector="x=y")
    assert [obj["metadata"]["name"] for obj in found] == ["a", "b"]
    assert {(obj["apiVersion"], obj["kind"]) for obj in found} == {("v1", "Pod")}
    first, second = harness.server.requests
    assert dict(first.query) == {"limit": "250", "labelSelector": "x=y"}
    assert dict(second.query) == {"limit": "250", "labelSelector": "x=y", "continue": "more"}


async def test_a_list_whose_pages_expired_begins_anew(harness: Harness) -> None:
    page = answer(200, {"metadata": {"continue": "old"}, "items": [{"metadata": {"name": "a"}}]})
    whole = answer(200, {"metadata": {}, "items": [{"metadata": {"name": "a"}}]})
    harness.script(page, status(410, "expired", "Expired"), whole)
    assert len(await harness.api.list(PODS, "web")) == 1


async def test_a_list_that_always_expires_is_given_up(harness: Harness) -> None:
    harness.script(*[status(410, "expired", "Expired")] * 3)
    with pytest.raises(Unavailable, match="expired"):
        await harness.api.list(PODS, "web")


async def test_an_empty_list_may_come_as_null(harness: Harness) -> None:
    harness.script(answer(200, {"metadata": {}, "items": None}))
    assert await harness.api.list(PODS, "web") == []


NAMESPACE_GOING = {
    "kind": "Status",
    "message": "it is being terminated",
    "reason": "Forbidden",
    "details": {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]},
    "code": 403,
}


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (status(404, 'pods "a" not found', "NotFound"), NotFound, 'pods "a" not found'),
        (status(409, "exists", "AlreadyExists"), AlreadyExists, "exists"),
        (status(409, "modified", "Conflict"), Conflict, "modified"),
        (status(403, "cannot get pods", "Forbidden"), Forbidden, "cannot get pods"),
        (answer(403, NAMESPACE_GOING), NamespaceGoing, "it is being terminated"),
        (status(422, "spec.x: Required value", "Invalid"), Invalid, "spec.x: Required value"),
        (status(400, "unknown field", "BadRequest"), Invalid, "unknown field"),
        (
            status(500, "failed to create typed patch object (web/shop): .spec.x: not declared"),
            Invalid,
            "failed to create typed patch object (web/shop): .spec.x: not declared",
        ),
        (answer(418), Invalid, "HTTP status 418"),
    ],
    ids=[
        "404 is NotFound",
        "409 of a create is AlreadyExists",
        "409 otherwise is Conflict",
        "403 is Forbidden",
        "403 where the namespace goes is no lack of a permission",
        "422 is Invalid and carries the server's message",
        "400 is Invalid",
        "a schema error of server-side apply is Invalid although it comes as a 500",
        "an unknown refusal is not repeated",
    ],
)
async def test_refusals(
    harness: Harness, reply: Answer, error: type[ApiError], message: str
) -> None:
    harness.script(reply)
    with pytest.raises(error) as caught:
        await harness.api.get(PODS, "web", "a")
    assert caught.value.message == message
    assert str(caught.value) == f"get /api/v1/namespaces/web/pods/a: {message}"
    assert len(harness.server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [status(500, "etcd"), status(503, "starting"), status(429, "slow down"), reset, hang, half],
    ids=["500", "503", "429", "connection reset", "no answer", "half an answer"],
)
async def test_what_passes_is_tried_again(harness: Harness, fault: Answer) -> None:
    harness.script(fault, answer(200, SERVICE))
    assert await harness.api.apply(SERVICES, "web", SERVICE) == SERVICE
    assert len(harness.pauses) == 1
    assert harness.observed[-1] == ("apply", "200")


async def test_pauses_grow_and_tries_are_bounded(harness: Harness) -> None:
    harness.script(*[status(500, "etcd")] * 4)
    with pytest.raises(Unavailable, match="etcd"):
        await harness.api.get(PODS, "web", "a")
    assert len(harness.server.requests) == 4
    for pause, longest in zip(harness.pauses, (0.25, 0.5, 1.0), strict=True):
        assert longest / 2 <= pause <= longest


async def test_retry_after_is_honoured(harness: Harness) -> None:
    harness.script(status(429, "slow down", Retry_After="3"), answer(200, SERVICE))
    await harness.api.get(SERVICES, "web", "shop")
    assert 3 <= harness.pauses[0] <= 3.25


async def test_a_long_retry_after_is_left_to_the_caller(harness: Harness) -> None:
    harness.script(status(429, "slow down", Retry_After="60"))
    with pytest.raises(Unavailable) as caught:
        await harness.api.get(SERVICES, "web", "shop")
    assert caught.value.retry_after == 60
    assert harness.pauses == []


async def test_what_was_told_to_wait_is_not_sent_sooner_whoever_asks(harness: Harness) -> None:
    harness.script(status(429, "slow down", Retry_After="60"), answer(200, SERVICE))
    with pytest.raises(Unavailable):
        await harness.api.get(SERVICES, "web", "shop")
    harness.now += 59
    with pytest.raises(Unavailable, match=r"not to be asked again for 1\.0 s") as caught:
        await harness.api.get(SERVICES, "web", "shop")
    assert caught.value.retry_after == 1
    assert len(harness.server.requests) == 1
    harness.now += 1
    assert await harness.api.get(SERVICES, "web", "shop") == SERVICE


async def test_what_nobody_told_to_wait_is_sent_at_once(harness: Harness) -> None:
    harness.script(status(429, "slow down", Retry_After="60"), answer(200, SERVICE))
    with pytest.raises(Unavailable):
        await harness.api.get(SERVICES, "web", "shop")
    assert await harness.api.get(SERVICES, "web", "cart") == SERVICE


@pytest.mark.parametrize(
    "fault", [status(500, "etcd"), reset, hang], ids=["500", "connection reset", "no answer"]
)
async def test_a_create_that_may_have_happened_is_not_repeated(
    harness: Harness, fault: Answer
) -> None:
    harness.script(fault)
    with pytest.raises(Unavailable):
        await harness.api.create(SERVICES, "web", SERVICE)
    assert len(harness.server.requests) == 1


async def test_a_create_that_was_turned_away_is_repeated(harness: Harness) -> None:
    harness.script(status(429, "slow down"), answer(201, SERVICE))
    assert await harness.api.create(SERVICES, "web", SERVICE) == SERVICE


async def test_a_replace_of_an_old_version_is_a_conflict(harness: Harness) -> None:
    harness.script(status(409, "the object has been modified", "Conflict"))
    lease = {"metadata": {"name": "leader", "resourceVersion": "5"}, "spec": {}}
    with pytest.raises(Conflict):
        await harness.api.replace(LEASES, "system", lease)
    assert json.loads(harness.server.bodies[0])["metadata"]["resourceVersion"] == "5"
    assert harness.server.requests[0].method == "PUT"


async def test_no_answer_is_told_as_such(harness: Harness) -> None:
    harness.script(*[hang] * 4)
    with pytest.raises(Unavailable, match=r"no answer within 1.5 s"):
        await harness.api.get(PODS, "web", "a")
    assert harness.observed == [("get", "error")] * 4


async def test_nobody_listening_is_unavailable() -> None:
    api = KubeApi(
        Configuration(host="http://127.0.0.1:1"), limits=Limits(attempts=2, first_pause=0.001)
    )
    with pytest.raises(Unavailable, match="ClientConnectorError"):
        await api.get(PODS, "web", "a")
    await api.close()


async def test_a_rotated_token_is_read_again(harness: Harness) -> None:
    harness.script(status(401, "Unauthorized"), answer(200, SERVICE))
    await harness.api.get(SERVICES, "web", "shop")
    first, second = harness.server.requests
    assert "Authorization" not in first.headers
    assert second.headers["Authorization"] == "Bearer token-1"


async def test_credentials_that_are_refused_again_and_again_are_unavailable(
    harness: Harness,
) -> None:
    harness.script(*[status(401, "Unauthorized")] * 4)
    with pytest.raises(Unavailable, match="Unauthorized"):
        await harness.api.get(SERVICES, "web", "shop")
    assert harness.loads == 3


@pytest.mark.parametrize("body", ["<html>", "[]"], ids=["not JSON", "no object"])
async def test_an_answer_of_something_else_is_unavailable(harness: Harness, body: str) -> None:
    async def respond(request: web.Request) -> web.Response:
        return web.Response(text=body)

    harness.script(*[respond] * 4)
    with pytest.raises(Unavailable):
        await harness.api.get(PODS, "web", "a")


async def test_an_error_page_of_a_proxy_is_quoted(harness: Harness) -> None:
    async def respond(request: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>Bad Gateway</html>\n")

    harness.script(*[respond] * 4)
    with pytest.raises(Unavailable) as caught:
        await harness.api.get(PODS, "web", "a")
    assert caught.value.message == "<html>Bad Gateway</html>"


async def test_who_asks_is_told_apart_from_the_operator(harness: Harness) -> None:
    host = harness.api._configuration.host
    api = KubeApi(Configuration(host=host), manager="somebody")
    harness.script(answer(201), answer(201))
    for one in (api, harness.api):
        await one.create(SERVICES, "web", SERVICE)
    theirs, ours = harness.server.requests
    assert theirs.query["fieldManager"] == theirs.headers["User-Agent"] == "somebody"
    assert ours.query["fieldManager"] == "immutable-release-operator"
    assert ours.query["fieldValidation"] == "Strict", "a field that is dropped is no field"
    await api.close()


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the environment name an API server, beside a ~/.netrc that has a password for it."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    def name(server: str) -> None:
        async def load(configuration: Configuration) -> None:
            configuration.host = server

        monkeypatch.setattr(kubeapi, "load_configuration", load)

    return name


async def test_no_password_of_a_netrc_is_looked_up_for_the_api_server(
    harness: Harness, names: Callable[[str], None]
) -> None:
    names(harness.url)
    harness.script(answer(200, SERVICE))
    api = await KubeApi.connect()
    await api.get(SERVICES, "web", "shop")
    await api.close()
    [request] = harness.server.requests
    assert "Authorization" not in request.headers


async def test_a_proxy_that_the_environment_names_is_used(
    harness: Harness, names: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    names("http://cluster.test")
    monkeypatch.setenv("HTTP_PROXY", harness.url)
    monkeypatch.setenv("http_proxy", harness.url)
    harness.script(answer(200, SERVICE))
    api = await KubeApi.connect()
    await api.get(SERVICES, "web", "shop")
    await api.close()
    [request] = harness.server.requests
    assert request.host == "cluster.test"
