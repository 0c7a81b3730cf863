"""Does the data plane route by this configuration? Asked of every address until all say so.

What a controller writes into a status may be seconds ahead of the proxies behind it. So each
HTTPRoute holds a rule that a gateway answers by itself, with a redirect to a host that names the
configuration; no application sees the request and nobody follows the redirect.

Rules:
- Proven is what all doors of all Gateways answered for, several times in a row and each time on a
  connection of its own, since one address may stand for many proxies.
- What is proven is not asked again; another configuration is another question.
- No certificate is checked: nothing is sent that is secret, and nothing is believed but a token.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from immutablerelease.api.meta import MANAGER
from immutablerelease.api.traffic import GatewayRoute

from .gateway import PROOF_DOMAIN, PROOF_HEADER
from .listeners import Door, Shut

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

# Answers in a row of every door.
ROUNDS: Final = 3
# Seconds that one request may take, and that finding the doors may take.
ANSWER: Final = 2.0
FINDING: Final = 10.0
# Seconds between two looks, first and at most; and at most once it has taken long.
_FIRST: Final = 0.1
_QUICK: Final = 1.0
_SLOW: Final = 5.0
_LOOKS_UNTIL_SLOW: Final = 60


@dataclass(frozen=True)
class Question:
    """Whether a configuration of an HTTPRoute is in effect."""

    token: str
    namespace: str
    route: GatewayRoute


@dataclass(frozen=True)
class Proof:
    """What is known of a configuration."""

    token: str
    proven: bool = False
    message: str = "the gateway was not asked yet"


@dataclass
class _Inquiry:
    question: Question
    proof: Proof
    task: asyncio.Task[None] | None = None


Find = Callable[[Question], Awaitable[Sequence[Door]]]
# What an answer is missing, or nothing when it names the token.
Ask = Callable[[Door, str], Awaitable[str]]


class Proofs(Generic[K]):
    """Asks for the routes of many keys, as they were last told to be watched."""

    def __init__(
        self,
        *,
        find: Find,
        ask: Ask,
        on_change: Callable[[K], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        concurrency: int = 64,
    ) -> None:
        self._find = find
        self._ask = ask
        self._on_change = on_change
        self._sleep = sleep
        self._slots = asyncio.Semaphore(concurrency)
        self._inquiries: dict[K, _Inquiry] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def watch(self, key: K, question: Question | None) -> None:
        """Prove exactly this; what was found out of the same question before is kept."""
        known = self._inquiries.get(key)
        if known is not None and known.question == question:
            return
        if known is not None:
            self._stop(self._inquiries.pop(key))
        if question is not None:
            inquiry = _Inquiry(question, Proof(question.token))
            self._inquiries[key] = inquiry
            inquiry.task = asyncio.create_task(self._run(key, inquiry), name=f"proof {key}")

    def state(self, key: K) -> Proof | None:
        """What is known of what is watched."""
        known = self._inquiries.get(key)
        return known.proof if known is not None else None

    def forget(self, key: K) -> None:
        """Ask nothing about the key any more."""
        self.watch(key, None)

    async def close(self) -> None:
        """Stop all, and wait until it has stopped."""
        for key in list(self._inquiries):
            self.forget(key)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _stop(self, inquiry: _Inquiry) -> None:
        if inquiry.task is not None:
            self._ending.add(inquiry.task)
            inquiry.task.add_done_callback(self._ending.discard)
            inquiry.task.cancel()

    async def _run(self, key: K, inquiry: _Inquiry) -> None:
        for pause in _pauses():  # until it is proven or cancelled
            try:
                message = await self._look(inquiry.question)
            except Exception as error:
                # Nobody else would ever ask again.
                log.exception("%s: the proof of its route", key)
                message = f"asking failed: {type(error).__name__}"
            proof = Proof(inquiry.question.token, not message, message)
            if proof != inquiry.proof:
                inquiry.proof = proof
                self._on_change(key)
            if proof.proven:
                return
            await self._sleep(pause)

    async def _look(self, question: Question) -> str:
        """What is missing, or nothing when all doors answered with the token."""
        try:
            async with asyncio.timeout(FINDING):
                doors = await self._find(question)
        except Shut as error:
            return str(error)
        except TimeoutError:
            return f"its Gateways could not be read within {FINDING:g} s"
        for _ in range(ROUNDS if doors else 0):
            answers = await asyncio.gather(*(self._knock(door, question.token) for door in doors))
            if complaint := next(filter(None, answers), ""):
                return complaint
        return ""

    async def _knock(self, door: Door, token: str) -> str:
        async with self._slots:
            return await self._ask(door, token)


async def ask(door: Door, token: str, *, session: aiohttp.ClientSession) -> str:
    """What the answer of a door is missing, or nothing when it names the token."""
    about = f"{door.address}:{door.port} for {door.host}"
    scheme = "https" if door.secure else "http"
    url = URL.build(scheme=scheme, host=door.address, port=door.port, path=door.path)
    headers = {"Host": door.host, PROOF_HEADER: token, "User-Agent": f"{MANAGER}/proof"}
    try:
        async with (
            asyncio.timeout(ANSWER),
            session.get(
                url,
                headers=headers,
                allow_redirects=False,
                ssl=_UNCHECKED if door.secure else True,
                server_hostname=door.host if door.secure else None,
            ) as response,
        ):
            location = response.headers.get("Location", "")
            status = response.status
    except TimeoutError:
        return f"{about} gave no answer within {ANSWER:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return f"{about} gave no answer: {type(error).__name__}"
    if names(location, token):
        return ""
    return f"{about} does not route by it yet: answered {status}"


def names(location: str, token: str) -> bool:
    """Whether a redirect leads to the host that stands for the token."""
    try:
        host = urlsplit(location).hostname
    except ValueError:
        return False
    return host == f"{token}.{PROOF_DOMAIN}"


def _pauses() -> Iterator[float]:
    pause = _FIRST
    for _ in range(_LOOKS_UNTIL_SLOW):
        yield pause
        pause = min(2 * pause, _QUICK)
    while True:
        yield _SLOW


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_UNCHECKED: Final = _unchecked()
