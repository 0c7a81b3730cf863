"""Kinds of the objects that routers go by. A cluster may lack them; they may come at any time."""

from collections.abc import Mapping
from typing import Final

from immutablerelease.api.meta import RELEASE_LABEL
from immutablerelease.core.shares import Router

from .client import HTTP_ROUTES, Api, Kind, NotFound

# What carries the record.
ROUTES: Final[Mapping[Router, Kind]] = {Router.GATEWAY: HTTP_ROUTES}


class Presence:
    """Whether the cluster has the kinds of a router, as far as anybody looked."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._missing: set[Router] = set()

    def installed(self, router: Router) -> bool:
        """Whether they are there."""
        return router not in self._missing

    def lost(self, router: Router) -> None:
        """They are not there."""
        self._missing.add(router)

    async def look(self, router: Router, namespace: str) -> None:
        """Find out whether they are there."""
        try:
            await self._api.list(ROUTES[router], namespace, selector=RELEASE_LABEL)
        except NotFound:
            self._missing.add(router)
        else:
            self._missing.discard(router)
