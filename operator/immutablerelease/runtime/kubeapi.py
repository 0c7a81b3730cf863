"""The API server over HTTP: one connection pool, bounded requests, bounded repeats.

Rules: every request has a timeout; a repeat happens only where it is harmless and only a bounded
number of times; whatever goes wrong is an `ApiError`.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode
from urllib.request import getproxies_environment

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject, RESTResponse
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from immutablerelease.api.meta import MANAGER

from .answers import Expired, Unauthorized, parsed, refusal
from .client import (
    Kind,
    Object,
    Unavailable,
)
from .holds import Holds

Objects = list[Object]


@dataclass(frozen=True)
class Limits:
    """How long and how often a request is tried."""

    timeout: float = 10.0
    connect_timeout: float = 5.0
    attempts: int = 4
    first_pause: float = 0.25
    # A longer Retry-After is not slept through here: the caller learns of it and waits in its queue
    longest_pause: float = 5.0
    # Objects in one page of a list: parsing a page holds the event loop for some 20 ms.
    page: int = 250
    # Lists restarted because their continue token expired.
    restarts: int = 2
    # A watch ends by itself before anything in between forgets it.
    watch: float = 290.0


@dataclass(frozen=True)
class _Call:
    """One request, and whether sending it twice does the same as sending it once."""

    verb: str
    method: str
    path: str
    idempotent: bool
    query: Mapping[str, str] = field(default_factory=dict)
    body: Object | None = None
    content_type: str = "application/json"

    @property
    def about(self) -> str:
        return f"{self.verb} {self.path}"


# verb, status code or "error", seconds
Observe = Callable[[str, str, float], None]


async def load_configuration(configuration: Configuration) -> None:
    """Address and credentials: KUBECONFIG if it is set, else the Pod's own, else ~/.kube/config."""
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG")
    if in_pod:
        # Installs a hook that reads the token file again every minute.
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await load_kube_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration, persist_config=False
        )


class KubeApi:
    """`Api` on one connection pool."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        load: Callable[[Configuration], Awaitable[None]] = load_configuration,
        limits: Limits = Limits(),
        observe: Observe = lambda verb, code, seconds: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: Callable[[float], asyncio.Timeout] = asyncio.timeout,
        clock: Callable[[], float] = time.monotonic,
        jitter: random.Random | None = None,
        manager: str = MANAGER,
    ) -> None:
        self._configuration = configuration
        self._manager = manager
        self._load = load
        self._limits = limits
        self._observe = observe
        self._sleep = sleep
        self._within = timeout
        self._jitter = jitter or random.Random()  # noqa: S311 (spreads load, protects nothing)
        self._rest = RESTClientObject(configuration)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_timeout)
        self._holds = Holds(clock)

    @classmethod
    async def connect(
        cls,
        *,
        connections: int = 32,
        observe: Observe = lambda verb, code, seconds: None,
    ) -> Self:
        """The API server that the environment names."""
        # Else ~/.netrc is read again for every request, in a thread, for a proxy nobody named.
        session = {"trust_env": bool(getproxies_environment())}
        configuration = Configuration(
            connection_pool_maxsize=connections, client_session_kwargs=session
        )
        await load_configuration(configuration)
        return cls(configuration, observe=observe)

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """One object; `NotFound` when there is none."""
        return await self._send(_Call("get", "GET", kind.path(namespace, name), idempotent=True))

    async def list(self, kind: Kind, namespace: str | None, *, selector: str = "") -> Objects:
        """All objects, page by page; begins anew when the pages grew too old on the way."""
        return (await self.survey(kind, namespace, selector=selector))[0]

    async def survey(
        self, kind: Kind, namespace: str | None, *, selector: str = "", fields: str = ""
    ) -> tuple[Objects, str]:
        """As `list`, also by a field selector, with the version that a watch goes on from."""
        query = {"labelSelector": selector, "fieldSelector": fields}
        query = {key: text for key, text in query.items() if text}
        for _ in range(self._limits.restarts):
            try:
                return await self._pages(kind, namespace, query)
            except Expired:
                continue
        return await self._pages(kind, namespace, query)

    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        version: str,
        *,
        selector: str = "",
        fields: str = "",
    ) -> AsyncIterator[Object]:
        """Events of one watch from a version on, until the API server ends it."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "labelSelector": selector,
            "fieldSelector": fields,
            "timeoutSeconds": f"{self._limits.watch:g}",
        }
        call = _Call("watch", "GET", kind.path(namespace), idempotent=True, query=query)
        # A server that is gone without a word is noticed a little later than it would have ended.
        silence = aiohttp.ClientTimeout(
            total=None,
            sock_connect=self._limits.connect_timeout,
            sock_read=self._limits.watch + self._limits.timeout,
        )
        try:
            async for line in self._lines(call, silence):
                event = parsed(call.about, line)
                if event.get("type") == "ERROR":
                    status = event.get("object") or {}
                    data = json.dumps(status).encode()
                    raise refusal(call.about, int(status.get("code") or 500), {}, data)
                yield event
        except (aiohttp.ClientError, OSError, ConfigException) as error:
            raise Unavailable(f"{type(error).__name__}: {error}", about=call.about) from error

    async def apply(
        self, kind: Kind, namespace: str, obj: Object, *, subresource: str = ""
    ) -> Object:
        """Server-side apply as the operator's one field manager, taking over what others hold."""
        return await self._send(
            _Call(
                "apply",
                "PATCH",
                kind.path(namespace, obj["metadata"]["name"], subresource),
                idempotent=True,
                query={"fieldManager": self._manager, "force": "true"},
                body=_typed(kind, obj),
                content_type="application/apply-patch+yaml",
            )
        )

    async def create(self, kind: Kind, namespace: str, obj: Object) -> Object:
        """Create; `AlreadyExists` when the name is taken.

        Refused when the API server knows a field not at all: it would drop it without a word, and
        what runs would not be what was written.
        """
        return await self._send(
            _Call(
                "create",
                "POST",
                kind.path(namespace),
                idempotent=False,
                query={"fieldManager": self._manager, "fieldValidation": "Strict"},
                body=_typed(kind, obj),
            )
        )

    async def replace(self, kind: Kind, namespace: str, obj: Object) -> Object:
        """Replace; `Conflict` unless the object still has the resourceVersion that `obj` names."""
        return await self._send(
            _Call(
                "replace",
                "PUT",
                kind.path(namespace, obj["metadata"]["name"]),
                idempotent=False,
                query={"fieldManager": self._manager},
                body=_typed(kind, obj),
            )
        )

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete. A repeat after a lost answer ends in `NotFound`, which says that it is gone."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        options["propagationPolicy"] = propagation
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        path = kind.path(namespace, name)
        await self._send(_Call("delete", "DELETE", path, idempotent=True, body=options))

    async def _pages(
        self, kind: Kind, namespace: str | None, selectors: Mapping[str, str]
    ) -> tuple[Objects, str]:
        query = {"limit": str(self._limits.page), **selectors}
        items: Objects = []
        while True:  # ends with the last page; an expired list raises
            call = _Call("list", "GET", kind.path(namespace), idempotent=True, query=query)
            page = await self._send(call)
            # The items of a list of a built-in kind do not say what they are.
            items += [_typed(kind, item) for item in page.get("items") or ()]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return items, page.get("metadata", {}).get("resourceVersion", "")
            query = {**query, "continue": token}

    async def _lines(self, call: _Call, timeout: aiohttp.ClientTimeout) -> AsyncIterator[bytes]:
        """Lines of a streamed answer; longer ones than aiohttp's own reader of lines allows."""
        response = await self._request(call, timeout)
        try:
            if response.status >= 300:
                data = await response.response.read()
                raise refusal(call.about, response.status, response.headers, data)
            rest = b""
            async for chunk in response.response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line
        finally:
            response.response.close()

    async def _send(self, call: _Call) -> Object:
        key = (call.method, call.path)
        if left := self._holds.left(key):
            message = f"the API server asked not to be asked again for {left:.1f} s"
            raise Unavailable(message, about=call.about, code=429, retry_after=left)
        try:
            return await self._try(call)
        except Unavailable as error:
            if error.retry_after is not None:
                self._holds.hold(key, error.retry_after)
            raise

    async def _try(self, call: _Call) -> Object:
        for attempt in range(self._limits.attempts - 1):
            try:
                return await self._once(call)
            except Unauthorized:
                # The token was rotated between two readings of its file, or a plugin's expired.
                await self._renew_credentials(call)
            except Expired:
                raise
            except Unavailable as error:
                # 429 is told before anything is done, so that even a create may be repeated.
                if not call.idempotent and error.code != 429:
                    raise
                if (error.retry_after or 0) > self._limits.longest_pause:
                    raise
                await self._sleep(self._pause(attempt, error.retry_after))
        return await self._once(call)

    async def _renew_credentials(self, call: _Call) -> None:
        try:
            async with asyncio.timeout(self._limits.timeout):
                await self._load(self._configuration)
        except (ConfigException, OSError) as error:
            raise Unavailable(f"no credentials: {error}", about=call.about) from error

    def _pause(self, attempt: int, retry_after: float | None) -> float:
        if retry_after is not None:
            return retry_after + self._jitter.uniform(0, self._limits.first_pause)
        longest = min(self._limits.first_pause * 2.0**attempt, self._limits.longest_pause)
        return self._jitter.uniform(longest / 2, longest)

    async def _once(self, call: _Call) -> Object:
        started = time.monotonic()
        code = "error"
        try:
            async with self._within(self._limits.timeout):
                status, headers, data = await self._exchange(call)
            code = str(status)
        except TimeoutError:
            message = f"no answer within {self._limits.timeout:g} s"
            raise Unavailable(message, about=call.about) from None
        except (aiohttp.ClientError, OSError, ConfigException) as error:
            raise Unavailable(f"{type(error).__name__}: {error}", about=call.about) from error
        finally:
            self._observe(call.verb, code, time.monotonic() - started)
        if status >= 300:
            raise refusal(call.about, status, headers, data)
        return parsed(call.about, data)

    async def _exchange(self, call: _Call) -> tuple[int, Mapping[str, str], bytes]:
        response = await self._request(call, self._timeout)
        return response.status, response.headers, await response.response.read()

    async def _request(self, call: _Call, timeout: aiohttp.ClientTimeout) -> RESTResponse:
        headers = {
            "Accept": "application/json",
            "Content-Type": call.content_type,
            "User-Agent": self._manager,
        }
        for auth in (await self._configuration.auth_settings()).values():
            headers[auth["key"]] = auth["value"]  # type: ignore[index]
        url = f"{self._configuration.host}{call.path}"
        if call.query:
            url = f"{url}?{urlencode(call.query)}"
        response: RESTResponse = await self._rest.request(  # type: ignore[no-untyped-call]
            call.method, url, headers=headers, body=call.body, _request_timeout=timeout
        )
        return response


def _typed(kind: Kind, obj: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.kind, **obj}
