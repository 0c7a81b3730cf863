"""Objects of the simulated API server: one body per kind, with what deciding needs of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from immutablerelease.api.action import ActionSpec, ActionStatus
from immutablerelease.api.release import ReleaseSpec, ReleaseStatus, ServicePort
from immutablerelease.api.revision import RevisionSpec, RevisionStatus
from immutablerelease.core.shares import receivers
from immutablerelease.core.snapshot import PodView, RouteRecord

# Name of the one release, and of its Service.
NAME = "shop"


@dataclass(frozen=True)
class ReleaseBody:
    """Of an ImmutableRelease."""

    spec: ReleaseSpec
    status: ReleaseStatus = field(default_factory=ReleaseStatus)


@dataclass(frozen=True)
class RevisionBody:
    """Of a ReleaseRevision."""

    spec: RevisionSpec
    status: RevisionStatus = field(default_factory=RevisionStatus)


@dataclass(frozen=True)
class ActionBody:
    """Of a ReleaseAction."""

    spec: ActionSpec
    status: ActionStatus = field(default_factory=ActionStatus)


@dataclass(frozen=True)
class DeploymentBody:
    """Of a Deployment."""

    replicas: int
    template: str
    observed: int = 0


@dataclass(frozen=True)
class PodBody:
    """Of a Pod."""

    revision: str
    view: PodView


@dataclass(frozen=True)
class ServiceBody:
    """Of the Service of the release."""

    selected: str | None
    record: RouteRecord | None
    ports: tuple[ServicePort, ...] = ()
    untouched: bool = True


def routed(spec: ReleaseSpec) -> bool:
    """Whether a router shares the traffic."""
    return spec.traffic.gateway is not None or spec.traffic.istio is not None


@dataclass(frozen=True)
class HttpRouteBody:
    """Of the HTTPRoute of the release."""

    record: RouteRecord
    # Whether what had the traffic before was left out.
    drained: bool = False
    # Where somebody else made it send requests to, instead of where its record says.
    leads: tuple[str, ...] = ()
    # The port of the Service of each revision that it names.
    ports: tuple[tuple[str, int], ...] = ()

    @property
    def asks(self) -> tuple[object, ...]:
        """What an answer of the data plane proves; what drains is no part of it."""
        return self.record, self.leads, self.ports

    @property
    def receivers(self) -> tuple[str, ...]:
        """Revisions that requests are sent to by it."""
        return self.leads or receivers(self.record)


@dataclass(frozen=True)
class Stored:
    """One object at one resource version."""

    kind: str
    name: str
    uid: str
    version: int
    generation: int
    created: datetime
    body: Any


@dataclass(frozen=True)
class Change:
    """One watch event."""

    stored: Stored
    deleted: bool = False
