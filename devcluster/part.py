"""One part of the cluster: a program, and how one knows that it serves."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devcluster.pki import Authority, Identity

_TIMEOUT = 3.0
# A watch without a word for this long is taken for dead; the server ends it sooner by itself.
_WATCH_SECONDS = 300
_WATCH_TIMEOUT = _WATCH_SECONDS + 30.0
_FIELD_MANAGER = "devcluster"

# Says why the part does not serve yet; None once it does.
Check = Callable[[], str | None]


@dataclass(frozen=True)
class Part:
    """A program that runs as long as the cluster does."""

    name: str
    argv: list[str]
    check: Check
    # Where it listens, to tell a part that failed from an address that somebody else holds.
    listens: tuple[str, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    outside: bool = False


def serves(url: str, authority: Authority | None = None) -> Check:
    """A check that a URL answers with success."""

    def check() -> str | None:
        context = None
        if authority is not None:
            context = ssl.create_default_context(cafile=str(authority.certificate))
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT, context=context):  # noqa: S310
                return None
        except (OSError, http.client.HTTPException) as failure:
            return f"{url}: {_reason(failure)}"

    return check


@dataclass(frozen=True)
class ApiClient:
    """The few requests that bringing a cluster up needs; used inside the namespace."""

    server: str
    authority: Authority
    identity: Identity

    def get(self, path: str) -> Any:
        """Read one object or list.

        Raises:
            OSError: it is not there, or the server is not.
        """
        return json.loads(self._request("GET", path))

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        """Create an object; one that exists already is left as it is."""
        try:
            self._request("POST", path, json.dumps(body).encode())
        except urllib.error.HTTPError as failure:
            if failure.code != http.HTTPStatus.CONFLICT:
                raise

    def apply(self, path: str, text: str) -> None:
        """Have an object as this YAML says, by server-side apply."""
        applied = f"{path}?fieldManager={_FIELD_MANAGER}&force=true"
        self._request("PATCH", applied, text.encode(), "application/apply-patch+yaml")

    def watch(self, path: str, since: str) -> Iterator[bytes]:
        """The events of a list, one JSON object each, until the server ends the watch."""
        query = f"watch=1&resourceVersion={since}&timeoutSeconds={_WATCH_SECONDS}"
        with self._open("GET", f"{path}?{query}", timeout=_WATCH_TIMEOUT) as answer:
            yield from answer

    def check(self, path: str) -> Check:
        """A check that a path answers with success."""

        def check() -> str | None:
            try:
                self._request("GET", path)
            except (OSError, http.client.HTTPException) as failure:
                return f"{path}: {_reason(failure)}"
            return None

        return check

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        with self._open(method, path, body, content_type) as answer:
            content: bytes = answer.read()
        return content

    def _open(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout: float = _TIMEOUT,
    ) -> http.client.HTTPResponse:
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(self.identity.certificate, self.identity.key)
        request = urllib.request.Request(  # noqa: S310 - always our own https server
            self.server + path,
            method=method,
            data=body,
            headers={"Content-Type": content_type},
        )
        answer: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310
            request, timeout=timeout, context=context
        )
        return answer


def last_lines(log: Path, count: int = 3) -> str:
    """The end of a log, for a message."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "its log is not there"
    return " / ".join(lines[-count:]) or "its log is empty"


def _reason(failure: Exception) -> str:
    if isinstance(failure, urllib.error.HTTPError):
        return f"status {failure.code}"
    if isinstance(failure, urllib.error.URLError):
        return str(failure.reason)
    return str(failure) or type(failure).__name__
