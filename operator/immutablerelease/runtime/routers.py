"""Kinds of the objects that routers go by. A cluster may lack them; they may come at any time."""

from collections.abc import Mapping
from typing import Final

from immutablerelease.api.meta import RELEASE_LABEL
from immutablerelease.core.shares import Router

from .client import DESTINATION_RULES, HTTP_ROUTES, VIRTUAL_SERVICES, Api, Kind, NotFound

# What carries the record.
ROUTES: Final[Mapping[Router, Kind]] = {
    Router.GATEWAY: HTTP_ROUTES,
    Router.ISTIO: VIRTUAL_SERVICES,
}
# What is beside the Service of a revision, under its name.
BESIDE: Final[Mapping[Router, Kind]] = {Router.ISTIO: DESTINATION_RULES}


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
            for kinds in (ROUTES, BESIDE):
                if router in kinds:
                    await self._api.list(kinds[router], namespace, selector=RELEASE_LABEL)
        except NotFound:
            self._missing.add(router)
        else:
            self._missing.discard(router)
