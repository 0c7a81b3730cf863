"""The gateway of the simulated cluster: a data plane that follows the HTTPRoute when it pleases.

Two proxies carry the requests. Each takes up what is written in its own time, keeps what it has for
as long, and the controller says what it likes meanwhile. Those of a mesh cannot be asked and take
their time, though not for ever; its VirtualService is played by the same object.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from immutablerelease.core.phases.sharing import SETTLE
from immutablerelease.core.snapshot import RouteRecord, RouterView

from .apiserver import ApiServer
from .objects import NAME, HttpRouteBody

# How long the data plane takes to route by what was written.
LAG = timedelta(seconds=1)
# Of a mesh it is nearly all that it is given; clocks of operators may be 4 s apart.
MESH_LAG = timedelta(seconds=SETTLE - 4)
# How long it may go on by an HTTPRoute that is gone: nobody can be asked about that.
FORGETS = timedelta(seconds=6)


@dataclass
class Edge:
    """What requests are really sent by."""

    # Whether it is that of a mesh.
    mesh: bool = False
    # Whether no proxy takes anything up at the moment.
    stuck: bool = False
    # Whether one of the two takes nothing up.
    behind: bool = False
    # Whether the controller refuses what it is asked.
    refuses: bool = False
    # Whether the controller says nothing, though the proxies do as they are told.
    silent: bool = False
    # Whether nobody can ask the proxies.
    unreachable: bool = False
    # When the HTTPRoute was found to be gone.
    gone_at: datetime | None = None
    _proxies: list[HttpRouteBody | None] = field(default_factory=lambda: [None, None])
    _seen: tuple[HttpRouteBody | None, datetime] | None = None
    # What was written and when, from what they were to take up last.
    _written: list[tuple[HttpRouteBody | None, datetime]] = field(default_factory=list)

    @property
    def routes(self) -> RouteRecord | None:
        """What all proxies route by."""
        one, other = self._proxies
        agree = one is not None and other is not None and one.asks == other.asks
        return one.record if one is not None and agree and not one.leads else None

    def heal(self) -> None:
        """Nothing is late or refused any more."""
        self.stuck = self.behind = self.refuses = self.silent = self.unreachable = False

    def tick(self, api: ApiServer) -> None:
        """Take up what was written long enough ago."""
        stored = api.find("HTTPRoute", NAME)
        body = stored.body if stored is not None else None
        if body is not None:
            self.gone_at = None
        elif self._seen is None or self._seen[0] is not None:
            self.gone_at = api.now
        if self._seen is None or self._seen[0] != body:
            self._seen = (body, api.now)
            self._written.append(self._seen)
        forgets = MESH_LAG if self.mesh else FORGETS
        if self.gone_at is not None and api.now >= self.gone_at + forgets:
            self._proxies = [None, None]
        due = api.now - (MESH_LAG if self.mesh else LAG)
        taken_up = [written for written, at in self._written if at <= due]
        if self.stuck or (self.refuses and body is not None) or not taken_up:
            return
        self._written = self._written[len(taken_up) - 1 :]
        self._proxies[0] = taken_up[-1]
        if not self.behind:
            self._proxies[1] = taken_up[-1]

    def programmed(self) -> list[HttpRouteBody]:
        """What the proxies route by, each by its own."""
        return [body for body in self._proxies if body is not None]

    def targets(self) -> set[str]:
        """Where requests are sent by what the operator wrote."""
        written = [body for body in self.programmed() if not body.leads]
        return {name for body in written for name in body.receivers}

    def sends(self, revision: str) -> bool:
        """Whether requests are sent to a revision by what the operator wrote."""
        return revision in self.targets()

    def receives(self, revision: str) -> bool:
        """Whether requests are sent to a revision."""
        return any(revision in body.receivers for body in self.programmed())

    def view(
        self, body: HttpRouteBody | None, wanted: tuple[tuple[str, int], ...] = ()
    ) -> RouterView:
        """What the operator finds out when it asks, and which ports it wants to be named."""
        if body is None:
            return RouterView(message="there is no HTTPRoute yet")
        current = all(known is not None and known.asks == body.asks for known in self._proxies)
        proven = current and not self.unreachable
        return RouterView(
            record=body.record,
            faithful=not body.leads and body.ports == wanted,
            # Istio need not say anything.
            accepted=not self.refuses and (self.mesh or not self.silent),
            proven=None if self.mesh else proven,
            leaving=None if body.drained else body.record.previous,
            message="" if proven else "an address is late",
        )
