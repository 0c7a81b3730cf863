"""A probe by Prometheus: instant queries, each with one value, judged against what is allowed.

Rules:
- No answer, no sample, more than one, and no number are no evidence: neither a pass nor a failure.
- Only servers that the operator was told of are asked: whoever writes a release must not make it
  call arbitrary hosts. The token goes to the operator's own server alone.
- All values of an attempt are asked for at the same time, since they are compared.

The API: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

import asyncio
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from immutablerelease.api.meta import MANAGER
from immutablerelease.api.probe import Compare, PrometheusProbe, Threshold

from .errors import Failed, NoEvidence, printable, reason

# One sample and its labels are a few hundred bytes.
_LARGEST: Final = 64 * 1024
# The session unpacks nothing, and a limit on what is packed would be none on what comes out.
_HEADERS: Final = {
    "User-Agent": f"{MANAGER}/probe",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=None)
_PLACEHOLDER: Final = re.compile(r"\$(revision|release|namespace)\b")


@dataclass(frozen=True)
class Servers:
    """Which servers may be asked."""

    # Asked where a probe names no address; nothing where there is none.
    url: str = ""
    # Others that a probe may name.
    others: tuple[str, ...] = ()
    # File with the bearer token for `url`, read each time, since tokens rotate.
    token_file: Path | None = None

    def find(self, address: str | None) -> str:
        """The base URL to ask; raises NoEvidence when it is not one of ours."""
        wanted = (address or self.url).rstrip("/")
        if not wanted:
            raise NoEvidence("the operator knows no Prometheus; set prometheus.url of its chart")
        if wanted not in {url.rstrip("/") for url in (self.url, *self.others)}:
            raise NoEvidence(f"{wanted} is not among the servers that the operator may ask")
        return wanted

    async def headers(self, url: str) -> dict[str, str]:
        """Headers of a request; raises NoEvidence when the token cannot be read."""
        headers = _HEADERS
        if self.token_file is None or url != self.url.rstrip("/"):
            return headers
        try:
            token = await asyncio.to_thread(self.token_file.read_text, encoding="ascii")
        except (OSError, ValueError) as error:
            raise NoEvidence(f"the token for {url} cannot be read: {reason(error)}") from error
        return headers | {"Authorization": f"Bearer {token.strip()}"}


@dataclass(frozen=True)
class Names:
    """Whose values are asked for."""

    namespace: str
    release: str
    revision: str
    # Revision that it is compared with.
    against: str | None = None

    def fill(self, query: str, revision: str) -> str:
        """The query about a revision; names are written as inside a string of PromQL."""
        names = {"namespace": self.namespace, "release": self.release, "revision": revision}
        return _PLACEHOLDER.sub(lambda found: _escaped(names[found[1]]), query)


async def ask(
    probe: PrometheusProbe,
    names: Names,
    *,
    timeout: float,
    servers: Servers,
    session: aiohttp.ClientSession,
) -> str:
    """The answer in words; raises Failed when it is too bad, NoEvidence when it says nothing."""
    url = servers.find(probe.address)
    try:
        async with asyncio.timeout(timeout):
            client = _Client(url, await servers.headers(url), timeout, session)
            return await _judged(probe, names, client)
    except TimeoutError:
        raise NoEvidence(f"{url}: no answer within {timeout:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise NoEvidence(f"{url}: {reason(error)}") from error


async def _judged(probe: PrometheusProbe, names: Names, client: "_Client") -> str:
    revisions = [names.revision]
    if probe.compare is not None and names.against is not None:
        revisions.append(names.against)
    wanted = [probe.query]
    if probe.minimum_samples is not None:
        wanted.append(probe.minimum_samples.query)
    places = [(revision, query) for revision in revisions for query in wanted]
    values = await client.values([names.fill(query, revision) for revision, query in places])
    found = dict(zip(places, values, strict=True))
    if probe.minimum_samples is not None:
        for revision in revisions:
            count, least = found[revision, probe.minimum_samples.query], probe.minimum_samples.count
            if not count >= least:
                raise NoEvidence(f"{count:g} samples of {revision}, {least:g} are needed")
    value = found[names.revision, probe.query]
    said = []
    if probe.threshold is not None:
        said.append(_within(value, probe.threshold))
    if probe.compare is not None and names.against is not None:
        said.append(_compared(value, found[names.against, probe.query], probe.compare, names))
    return "; ".join(said) or f"{value:g}"


def _within(value: float, threshold: Threshold) -> str:
    if threshold.max is not None and value > threshold.max:
        raise Failed(f"got {value:g}, at most {threshold.max:g} is allowed")
    if threshold.min is not None and value < threshold.min:
        raise Failed(f"got {value:g}, at least {threshold.min:g} is needed")
    return f"got {value:g}"


def _compared(value: float, other: float, compare: Compare, names: Names) -> str:
    about = f"got {value:g}, {names.against} has {other:g}"
    if not (math.isfinite(value) and math.isfinite(other)):
        raise NoEvidence(f"{about}: infinity compares with nothing")
    allowed = []
    if compare.max_ratio is not None:
        allowed.append(max(other, 0.0) * compare.max_ratio)
    if compare.max_difference is not None:
        allowed.append(other + compare.max_difference)
    if value > max(allowed):
        raise Failed(f"{about}: at most {max(allowed):g} is allowed")
    return about


@dataclass(frozen=True)
class _Client:
    url: str
    headers: Mapping[str, str]
    timeout: float
    session: aiohttp.ClientSession

    async def values(self, queries: Sequence[str]) -> list[float]:
        """The one value of each query; what is still asked when one fails is given up."""
        tasks = [asyncio.create_task(self._value(query)) for query in queries]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _value(self, query: str) -> float:
        # By POST, since a query may be longer than a URL; half an answer of Thanos is none.
        form = {"query": query, "timeout": f"{self.timeout:g}s", "partial_response": "false"}
        async with self.session.post(
            f"{self.url}/api/v1/query",
            data=form,
            headers=self.headers,
            allow_redirects=False,
            timeout=_NO_TIMEOUT,
        ) as response:
            body = await _limited(response)
            status = response.status
        answer = _json(body)
        if status != 200 or answer.get("status") != "success":
            text = printable(str(answer.get("error") or f"HTTP status {status}"))
            raise NoEvidence(f"{self.url}: {text}")
        return _single(answer.get("data"))


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST:
            raise NoEvidence(f"the answer is larger than {_LARGEST // 1024} KiB: {_ONE}")
    return body


_ONE: Final = "a query must give one value, as sum(...) does"


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _single(data: Any) -> float:
    """The value of a scalar, or of the one sample of a vector."""
    kind = data.get("resultType") if isinstance(data, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if kind == "vector" and isinstance(result, list):
        if not result:
            raise NoEvidence("no sample")
        if len(result) > 1:
            raise NoEvidence(f"{len(result)} samples: {_ONE}")
        result = result[0].get("value") if isinstance(result[0], dict) else None
    elif kind != "scalar":
        raise NoEvidence(f"the query gives a {printable(str(kind))}: {_ONE}")
    return _number(result)


def _number(sample: Any) -> float:
    """The value of a `[time, "value"]`."""
    try:
        _, text = sample
        value = float(text)
    except (TypeError, ValueError):
        raise NoEvidence("the sample has no value that is a number") from None
    if math.isnan(value):
        raise NoEvidence("the value is not a number (NaN), as of a quotient of nothing")
    return value


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'").replace("\n", "\\n")
