"""Reads what policies refer to: public keys in Secrets, trust roots in ConfigMaps.

They are read from the operator's own namespace, so that whoever may write there, and nobody else,
says what is trusted. Nothing is kept: what was replaced counts from the next question on.
"""

from collections.abc import Iterable

from immutablerelease.api.policy import Policy
from immutablerelease.verification.trust import Place, Trust, references, secret_text

from .client import CONFIG_MAPS, SECRETS, Api, Kind, NotFound


class TrustReader:
    """The objects that policies refer to, in one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def read(self, policies: Iterable[Policy]) -> Trust:
        """Their content; what is absent or no text is left out. Raises ApiError."""
        wanted = references(policies)
        return Trust(
            secrets=await self._contents(SECRETS, wanted.secrets),
            config_maps=await self._contents(CONFIG_MAPS, wanted.config_maps),
        )

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
