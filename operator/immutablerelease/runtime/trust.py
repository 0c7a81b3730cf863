"""Reads what policies refer to: public keys in Secrets, trust roots in ConfigMaps.

They are read from the operator's own namespace, so that whoever may write there, and nobody else,
says what is trusted. Every question reads them anew: what was replaced counts from the next one on.
What was read last is kept to tell when it changes, since what runs is then verified again. They are
read now and then for that, rather than watched: a watch would need leave to list all Secrets there.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping

from immutablerelease.api.policy import Policy
from immutablerelease.verification.trust import (
    NO_TRUST,
    Place,
    Trust,
    references,
    secret_text,
)

from .client import CONFIG_MAPS, SECRETS, Api, ApiError, Kind, NotFound

log = logging.getLogger(__name__)

# How soon a key or trust root that was replaced is noticed, at the latest.
REREAD_SECONDS = 30.0


class TrustReader:
    """The objects that policies refer to, in one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        # What was read last.
        self.known = NO_TRUST

    async def read(self, policies: Iterable[Policy]) -> Trust:
        """Their content; what is absent or no text is left out. Raises ApiError."""
        wanted = references(policies)
        found = Trust(
            secrets=await self._contents(SECRETS, wanted.secrets),
            config_maps=await self._contents(CONFIG_MAPS, wanted.config_maps),
        )
        # These policies may be some of all.
        self.known = Trust(
            secrets=_updated(self.known.secrets, wanted.secrets, found.secrets),
            config_maps=_updated(self.known.config_maps, wanted.config_maps, found.config_maps),
        )
        return found

    async def refresh(self, policies: Iterable[Policy]) -> None:
        """Read anew, if that can be done: else what was read last stands."""
        try:
            await self.read(policies)
        except ApiError as error:
            log.warning("keys and trust roots were not read: %s; %s", error, error.advice)

    async def watch(
        self,
        policies: Callable[[], Iterable[Policy]],
        changed: Callable[[], None],
        stop: asyncio.Event,
        every: float = REREAD_SECONDS,
    ) -> None:
        """Call `changed` whenever what policies refer to is not what it was, until stopped.

        It is read every so many seconds, and whenever a verdict is reached in between.
        """
        told = self.known
        while not stop.is_set():
            try:
                async with asyncio.timeout(every):
                    await stop.wait()
            except TimeoutError:
                await self.refresh(policies())
            if self.known != told:
                told = self.known
                changed()

    async def _contents(self, kind: Kind, places: Iterable[Place]) -> dict[Place, str]:
        found = {}
        for name, key in sorted(places):
            try:
                data = (await self._api.get(kind, self._namespace, name)).get("data") or {}
            except NotFound:
                continue
            text = _text(kind, data.get(key))
            if text is not None:
                found[(name, key)] = text
        return found


def _text(kind: Kind, value: str | None) -> str | None:
    return value if value is None or kind is CONFIG_MAPS else secret_text(value)


def _updated(
    known: Mapping[Place, str], read: Collection[Place], found: Mapping[Place, str]
) -> dict[Place, str]:
    kept = {place: text for place, text in known.items() if place not in read}
    return kept | dict(found)
