"""A configuration is proven when all doors answered for it, and is not asked for again."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from immutablerelease.api.traffic import GatewayRoute, ParentReference
from immutablerelease.traffic.gateway import PROOF_DOMAIN, PROOF_HEADER
from immutablerelease.traffic.listeners import Door, Shut
from immutablerelease.traffic.proof import ROUNDS, Proofs, Question, ask, names
from tests.unit.health.virtual_time import Time

ROUTE = GatewayRoute(parent_refs=(ParentReference(name="public"),))


def question(token: str = "t1") -> Question:  # noqa: S107 (no secret)
    return Question(token, "demo", ROUTE)


def door(address: str) -> Door:
    return Door(address, 80, secure=False, host="h", path="/")


class Edge:
    """Proxies that answer for the configuration that each of them has."""

    def __init__(self, **has: str) -> None:
        self.time = Time()
        self.has = has
        self.asked: list[str] = []
        self.shut = ""
        self.changes: list[str] = []
        self.proofs: Proofs[str] = Proofs(
            find=self.find, ask=self.ask, on_change=self.changes.append, sleep=self.time.sleep
        )

    async def find(self, _: Question) -> Sequence[Door]:
        if self.shut:
            raise Shut(self.shut)
        return [door(address) for address in self.has]

    async def ask(self, at: Door, token: str) -> str:
        self.asked.append(at.address)
        return "" if self.has[at.address] == token else f"{at.address} is late"

    @property
    def proven(self) -> bool:
        proof = self.proofs.state("shop")
        return proof is not None and proof.proven

    @property
    def message(self) -> str:
        proof = self.proofs.state("shop")
        return proof.message if proof else ""


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    made = Edge(a="t1", b="t0")
    yield made
    await made.proofs.close()


async def test_one_proxy_that_is_late_keeps_it_from_being_proven(edge: Edge) -> None:
    edge.proofs.watch("shop", question())
    await edge.time.pass_(30.0)
    assert not edge.proven
    assert edge.message == "b is late"
    edge.has["b"] = "t1"
    await edge.time.pass_(1.1)
    assert edge.proven
    assert edge.message == ""


async def test_a_change_of_what_is_known_is_told_and_nothing_else(edge: Edge) -> None:
    edge.proofs.watch("shop", question())
    await edge.time.pass_(30.0)
    assert edge.changes == ["shop"]
    edge.has["b"] = "t1"
    await edge.time.pass_(30.0)
    assert edge.changes == ["shop", "shop"]


async def test_what_is_proven_is_asked_no_more(edge: Edge) -> None:
    edge.has["b"] = "t1"
    edge.proofs.watch("shop", question())
    await edge.time.pass_(600.0)
    assert edge.proven
    assert len(edge.asked) == 2 * ROUNDS


async def test_the_same_question_goes_on_and_another_starts_over(edge: Edge) -> None:
    edge.has["b"] = "t1"
    edge.proofs.watch("shop", question())
    await edge.time.pass_(1.0)
    edge.proofs.watch("shop", question())
    assert edge.proven
    edge.proofs.watch("shop", question("t2"))
    assert not edge.proven
    await edge.time.pass_(30.0)
    assert not edge.proven


async def test_an_address_that_answers_by_turns_is_not_proven() -> None:
    edge = Edge(a="t1")

    async def by_turns(at: Door, token: str) -> str:
        edge.asked.append(at.address)
        return "" if len(edge.asked) % 2 else "an older proxy behind the same address"

    edge.proofs = Proofs(
        find=edge.find, ask=by_turns, on_change=edge.changes.append, sleep=edge.time.sleep
    )
    edge.proofs.watch("shop", question())
    await edge.time.pass_(30.0)
    assert not edge.proven
    await edge.proofs.close()


async def test_a_gateway_that_is_shut_is_looked_at_again(edge: Edge) -> None:
    edge.has["b"] = "t1"
    edge.shut = "Gateway infra/public has no address yet"
    edge.proofs.watch("shop", question())
    await edge.time.pass_(600.0)
    assert edge.message == edge.shut
    edge.shut = ""
    await edge.time.pass_(5.1)
    assert edge.proven


async def test_without_doors_conditions_are_all_there_is() -> None:
    edge = Edge()
    edge.proofs.watch("shop", question())
    await edge.time.pass_(1.0)
    assert edge.proven
    await edge.proofs.close()


async def test_what_is_forgotten_is_asked_no_more(edge: Edge) -> None:
    edge.proofs.watch("shop", question())
    await edge.time.pass_(1.0)
    edge.proofs.forget("shop")
    edge.asked.clear()
    await edge.time.pass_(60.0)
    assert edge.asked == []
    assert edge.proofs.state("shop") is None


async def test_a_mistake_of_ours_does_not_end_the_asking(edge: Edge) -> None:
    edge.has = {"a": "t1"}
    answers = iter([RuntimeError("oops")])

    async def stumbles(at: Door, token: str) -> str:
        if (error := next(answers, None)) is not None:
            raise error
        return await edge.ask(at, token)

    edge.proofs = Proofs(
        find=edge.find, ask=stumbles, on_change=edge.changes.append, sleep=edge.time.sleep
    )
    edge.proofs.watch("shop", question())
    await edge.time.pass_(5.0)
    assert edge.proven
    await edge.proofs.close()


@pytest.mark.parametrize(
    ("location", "named"),
    [
        (f"http://t1.{PROOF_DOMAIN}/", True),
        (f"https://t1.{PROOF_DOMAIN}:8000/a?b", True),
        (f"http://t0.{PROOF_DOMAIN}/", False),
        (f"http://elsewhere/t1.{PROOF_DOMAIN}", False),
        (f"http://t1.{PROOF_DOMAIN}.example.com/", False),
        ("/", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_only_the_host_of_a_redirect_counts(location: str, named: bool) -> None:
    assert names(location, "t1") is named


class Proxy:
    """A real HTTP server that redirects who knows its token."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.hangs = False
        self.port = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.hosts.append(request.headers["Host"])
        if self.hangs:
            await asyncio.Event().wait()
        if request.headers.get(PROOF_HEADER) == "t1":
            raise web.HTTPFound(f"http://t1.{PROOF_DOMAIN}{request.path}")
        return web.Response(text="from the application")

    def door(self, *, secure: bool = False) -> Door:
        return Door("127.0.0.1", self.port, secure, "shop.example.com", "/api")


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    made = Proxy()
    app = web.Application()
    app.router.add_route("*", "/api", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    made.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    yield made
    await runner.cleanup()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with serving() as made:
        yield made


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server that nobody has reason to trust, and that is asked for by name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_an_answer_that_names_the_token_lacks_nothing(proxy: Proxy) -> None:
    async with aiohttp.ClientSession() as session:
        assert await ask(proxy.door(), "t1", session=session) == ""
    assert proxy.hosts == ["shop.example.com"]


async def test_an_answer_of_the_application_proves_nothing(proxy: Proxy) -> None:
    async with aiohttp.ClientSession() as session:
        said = await ask(proxy.door(), "t2", session=session)
    assert said.endswith("for shop.example.com does not route by it yet: answered 200")


async def test_a_proxy_that_does_not_answer_is_named(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("immutablerelease.traffic.proof.ANSWER", 0.1)
    proxy.hangs = True
    async with aiohttp.ClientSession() as session:
        assert "gave no answer within 0.1 s" in await ask(proxy.door(), "t1", session=session)


async def test_a_door_that_nobody_opens_is_named(unused_tcp_port: int) -> None:
    nobody = Door("127.0.0.1", unused_tcp_port, secure=False, host="h", path="/")
    async with aiohttp.ClientSession() as session:
        assert "gave no answer: ClientConnectorError" in await ask(nobody, "t1", session=session)


async def test_over_https_the_host_is_asked_for_and_no_certificate_is_checked(
    tls: ssl.SSLContext,
) -> None:
    asked: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with serving(tls) as proxy, aiohttp.ClientSession() as session:
        assert await ask(proxy.door(secure=True), "t1", session=session) == ""
    assert asked == ["shop.example.com"]


async def test_a_listener_without_tls_is_no_answer_for_https(proxy: Proxy) -> None:
    async with aiohttp.ClientSession() as session:
        said = await ask(proxy.door(secure=True), "t1", session=session)
    assert "gave no answer" in said
