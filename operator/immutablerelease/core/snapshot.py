"""All that was observed about one release, read once before a decision.

Views hold what deciding needs of an object and nothing else. A field that is None was not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from immutablerelease.api.objects import Action, Release, Revision
from immutablerelease.api.release import ServicePort
from immutablerelease.api.revision import (
    ContainerEvidence,
    FrozenConfig,
    ResolvedImage,
    RevisionJob,
    Source,
)

from .probing import ProbeState


@dataclass(frozen=True)
class ContainerView:
    """One container of a Pod as its kubelet reports it."""

    name: str
    restarts: int = 0
    waiting: str = ""
    # How it last ended, if that was a failure.
    terminated: str = ""
    # Why it waits, or else its last words.
    message: str = ""
    # Whether it runs and its probes have not passed.
    unready: bool = False


@dataclass(frozen=True)
class PodView:
    """One Pod of a revision."""

    name: str
    uid: str
    ip: str | None
    ready: bool
    deleting: bool = False
    # When the Pod last became ready or stopped being so.
    ready_changed_at: datetime | None = None
    containers: tuple[ContainerView, ...] = ()
    created: datetime | None = None
    # Why no node takes it, in the scheduler's words.
    unschedulable: str = ""

    @property
    def serving(self) -> bool:
        """Whether it can take traffic."""
        return self.ready and not self.deleting and self.ip is not None


@dataclass(frozen=True)
class DeploymentView:
    """The Deployment of a revision, or its DaemonSet."""

    revision: str
    replicas: int
    # Whether its controller has seen the newest generation.
    observed: bool
    available: int
    # Whether its template still is the revision's.
    intact: bool
    # How its template differs, or else why the API server refuses its Pods.
    message: str = ""
    # Nodes that take a Pod of the DaemonSet each; None of a Deployment. Zero until it is observed.
    nodes: int | None = None


# What a selector names that picks every Pod of the release.
EVERY = "*"


@dataclass(frozen=True)
class RouteRecord:
    """Why the traffic goes where it goes; written in the same write as the selector."""

    revision: str
    reason: str
    message: str
    at: datetime
    previous: str | None = None
    action: str | None = None
    # Revision that gets a part of the traffic, or is about to.
    candidate: str | None = None
    # Percent of the traffic for the candidate.
    weight: int = 0
    # Percent of the requests that are copied to it.
    mirror: int = 0


@dataclass(frozen=True)
class RouterView:
    """The object that the router of the release goes by, and what is made of it."""

    # The record on it; None while there is no such object.
    record: RouteRecord | None = None
    # Whether its rules are what its record and the release ask for.
    faithful: bool = True
    # Whether nobody that is to route by it refuses it, and all that have to accept it did.
    accepted: bool = False
    # Whether all that route answer by this configuration; None where nobody can be asked.
    proven: bool | None = False
    # Whether the cluster has the kinds of the router.
    installed: bool = True
    # What had the traffic before and is still named, at weight 0.
    leaving: str | None = None
    # Revisions that lack what their Service needs beside it to be referred to.
    lacking: frozenset[str] = frozenset()
    # What is missing, for a message.
    message: str = ""
    # Why the API server refuses what is to be written, if it did more than once in a row.
    refused: str = ""
    # Whether it is too early to try that again.
    held: bool = False


@dataclass(frozen=True)
class Route:
    """Where the Service of the release sends its traffic."""

    # What the record says; None while nothing was ever routed.
    record: RouteRecord | None
    # What the selector really names, a revision or EVERY; differs from what the record asks for
    # when somebody changed it.
    selected: str | None
    # Names of the ready Pods that the Service's EndpointSlices hold.
    endpoints: frozenset[str] = frozenset()
    # Ports of the Service; without one there are none.
    ports: tuple[ServicePort, ...] = ()
    # Whether nothing was added that would take traffic elsewhere.
    untouched: bool = True
    # Of the router that the release asks for.
    router: RouterView = RouterView()
    # Whether an object of a router is there that the release does not ask for.
    leftover: bool = False
    # Whether the Service has an older record than what a router goes by.
    behind: bool = False
    # Revisions that a mesh was told of, be it that the release asks for it no more.
    meshed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Resolution:
    """A template with its images by digest and its configuration frozen."""

    template_hash: str
    template: Mapping[str, Any]
    images: tuple[ResolvedImage, ...]
    config: tuple[FrozenConfig, ...] = ()
    jobs: tuple[RevisionJob, ...] = ()


@dataclass(frozen=True)
class Unresolved:
    """Resolving did not succeed; it is tried again with backoff."""

    template_hash: str
    reason: str
    message: str


@dataclass(frozen=True)
class VerdictView:
    """What verification said about a revision in this process."""

    verdict: str
    reason: str
    message: str
    policies: str
    at: datetime
    evidence: tuple[ContainerEvidence, ...] = ()
    source: Source | None = None
    # When it is to be verified again; None for what is asked again anyway.
    due: datetime | None = None
    # Whether a policy that refuses it wants what serves to be left.
    revert: bool = False


# Pod uid -> probe name -> state
ProbeStates = Mapping[str, Mapping[str, ProbeState]]


@dataclass(frozen=True)
class Snapshot:
    """Everything `decide` looks at."""

    release: Release
    # Hash of the release's template as written, so that it is computed once.
    template_hash: str
    revisions: Mapping[str, Revision] = field(default_factory=dict)
    deployments: Mapping[str, DeploymentView] = field(default_factory=dict)
    pods: Mapping[str, tuple[PodView, ...]] = field(default_factory=dict)
    probes: Mapping[str, ProbeStates] = field(default_factory=dict)
    route: Route = field(default_factory=lambda: Route(None, None))
    # Revisions whose own Service exists.
    services: frozenset[str] = frozenset()
    # Those of them whose Service has other ports than its manifest names.
    outdated: frozenset[str] = frozenset()
    # What the PodDisruptionBudget of each revision lets be taken; without one there is none.
    budgets: Mapping[str, int | str | None] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    # Those that were answered, the oldest answer first.
    answered: tuple[Action, ...] = ()
    # Hash of all policies that match the namespace.
    policies: str = ""
    resolution: Resolution | Unresolved | None = None
    verdicts: Mapping[str, VerdictView] = field(default_factory=dict)
    # Objects that stand where ours should and are not ours, as `Kind/name`.
    conflicts: tuple[str, ...] = ()
    # What the API server said to our last write of a Deployment, by revision.
    refusals: Mapping[str, str] = field(default_factory=dict)
    # Frozen copies that some revision names, as `Kind/name`.
    frozen: frozenset[str] = frozenset()
