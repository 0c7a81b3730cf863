"""The gateway of the simulated cluster: a data plane that follows the HTTPRoute when it pleases."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from immutablerelease.core.shares import receivers
from immutablerelease.core.snapshot import RouteRecord, RouterView

from .apiserver import ApiServer
from .objects import NAME, HttpRouteBody

# How long the data plane takes to route by what was written.
LAG = timedelta(seconds=1)


@dataclass
class Edge:
    """What requests are really sent by."""

    # What all proxies route by.
    routes: RouteRecord | None = None
    # Whether the data plane takes nothing up at the moment.
    stuck: bool = False
    # Whether the controller refuses what it is asked.
    refuses: bool = False
    _seen: tuple[RouteRecord, datetime] | None = None

    def tick(self, api: ApiServer) -> None:
        """Take up what was written long enough ago."""
        stored = api.find("HTTPRoute", NAME)
        if stored is None:
            self.routes, self._seen = None, None
            return
        record = stored.body.record
        if self._seen is None or self._seen[0] != record:
            self._seen = (record, api.now)
        if not self.stuck and not self.refuses and api.now >= self._seen[1] + LAG:
            self.routes = record

    def receives(self, revision: str) -> bool:
        """Whether requests are sent to a revision."""
        return self.routes is not None and revision in receivers(self.routes)

    def view(self, body: HttpRouteBody | None) -> RouterView:
        """What the operator finds out when it asks."""
        if body is None:
            return RouterView(message="there is no HTTPRoute yet")
        return RouterView(
            record=body.record,
            faithful=body.faithful,
            accepted=not self.refuses,
            proven=self.routes == body.record,
            leaving=None if body.drained else body.record.previous,
            message="" if self.routes == body.record else "an address is late",
        )
