"""ImmutableRelease: the one manifest that a team writes for an application."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Duration, Model, Rule, Time, keyed
from .conditions import Condition
from .names import Name, PortNumber, TargetPort
from .probe import Probe
from .strategy import Strategy
from .template import PodTemplate
from .traffic import Traffic


class ServicePort(Model):
    """A port of the Services that the operator makes for the release."""

    name: Annotated[Name, Field(description="Name of the port; probes refer to it.")]
    port: Annotated[PortNumber, Field(description="Port of the Service.")]
    target_port: Annotated[
        TargetPort,
        Field(description="Port of the Pod, by number or by the name of a container port."),
    ]
    protocol: Annotated[
        Literal["TCP", "UDP", "SCTP"], Field(description="Protocol of the port.")
    ] = "TCP"
    app_protocol: Annotated[
        str | None, Field(description="Application protocol, a hint for proxies.", max_length=63)
    ] = None


class ReleaseService(Model):
    """The Service that clients use; the operator makes it and one more for each revision."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.ports.all(p, self.ports.exists_one(q, "
            "q.port == p.port && q.protocol == p.protocol))",
            "a port of the Service is used once: two of `ports` have the same port and protocol",
            ".ports",
        ),
    )
    ports: Annotated[
        tuple[ServicePort, ...],
        Field(
            description="Ports of the Service.",
            min_length=1,
            max_length=32,
            json_schema_extra=keyed("name"),
        ),
    ]


class Workload(StrEnum):
    """What runs the Pods of a revision."""

    DEPLOYMENT = "Deployment"
    DAEMON_SET = "DaemonSet"


class Health(Model):
    """What a revision must show before and after it gets traffic."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "duration(self.progressDeadline) >= duration('1s')",
            "progressDeadline is at least 1s: no revision could ever start",
            ".progressDeadline",
        ),
    )
    progress_deadline: Annotated[
        Duration, Field(description="Time for a candidate to be ready and to pass its probes.")
    ] = 300.0
    bake: Annotated[
        Duration,
        Field(
            description="A revision that was active and healthy this long counts as good: "
            "reverts may go to it."
        ),
    ] = 600.0
    probes: Annotated[
        tuple[Probe, ...],
        Field(
            description="Probes of the operator, on top of the Pods' own readiness.",
            max_length=16,
            json_schema_extra=keyed("name"),
        ),
    ] = ()


class OnFailure(StrEnum):
    """What the guard does about a revision that fails while it serves."""

    REVERT = "Revert"
    ALERT = "Alert"


class Guard(Model):
    """Watches what serves, for as long as it serves."""

    on_failure: Annotated[
        OnFailure,
        Field(
            description="Revert moves traffic to the known-good revision; "
            "Alert only sets conditions and an Event."
        ),
    ] = OnFailure.REVERT


class Disruption(Model):
    """How many Pods may be taken at a time by whoever drains a node.

    Never none: a drain would wait for ever. Pods that are not ready may always be taken, so that
    a revision that does not work keeps no node.
    """

    max_unavailable: Annotated[
        Annotated[int, Field(ge=1, le=10000)]
        | Annotated[str, Field(max_length=4, pattern=r"^([1-9][0-9]?|100)%$")],
        Field(
            description="Pods of a revision that may be missing, by number or as a percentage, "
            "rounded up, of all its Pods."
        ),
    ] = 1


class LiveReference(Model):
    """A ConfigMap or Secret that is read as it is, not frozen with the revision."""

    kind: Annotated[Literal["ConfigMap", "Secret"], Field(description="Kind of the object.")]
    name: Annotated[str, Field(description="Name of the object.", max_length=253)]


class Config(Model):
    """Which configuration is not frozen with a revision."""

    live: Annotated[
        tuple[LiveReference, ...],
        Field(
            description="Objects used as they are, such as credentials that rotate. Every other "
            "ConfigMap and Secret that the template names is copied for the revision.",
            max_length=64,
            json_schema_extra=keyed("kind", "name"),
        ),
    ] = ()


_NOT_FOR_DAEMON_SETS = {
    ".strategy.canary": "has(self.strategy.canary)",
    ".strategy.blueGreen.previewReplicas": (
        "has(self.strategy.blueGreen) && has(self.strategy.blueGreen.previewReplicas)"
    ),
    ".traffic.gateway": "has(self.traffic.gateway)",
    ".traffic.istio": "has(self.traffic.istio)",
}


class ReleaseSpec(Model):
    """What the team wants to run."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.service.ports.all(s, type(s.targetPort) == int || "
            + " || ".join(
                f"(has(self.template.spec.{kind}) && self.template.spec.{kind}.exists(c, "
                "has(c.ports) && c.ports.exists(p, has(p.name) && p.name == s.targetPort)))"
                for kind in ("containers", "initContainers")
            )
            + ")",
            "a targetPort by name must be the name of a container port in the template",
            ".service.ports",
        ),
        *(
            Rule(
                f"!has(self.health.probes) || self.health.probes.all(p, !has(p.{kind}) || "
                f"type(p.{kind}.port) == int || "
                f"self.service.ports.exists(s, s.name == p.{kind}.port))",
                f"the port of a probe by {kind} must be a number or a name in `service.ports`",
                ".health.probes",
            )
            for kind in ("http", "tcp", "grpc")
        ),
        Rule(
            "!has(self.health.probes) || self.health.probes.all(p, !has(p.job) || "
            "has(p.job.template))",
            "a job has a template",
            ".health.probes",
        ),
        *(
            Rule(
                f"!has(self.traffic.{kind}) || !has(self.traffic.{kind}.port) || "
                f"self.service.ports.exists(s, s.name == self.traffic.{kind}.port)",
                f"traffic.{kind}.port must be a name in `service.ports`",
                f".traffic.{kind}.port",
            )
            for kind in ("gateway", "istio")
        ),
        Rule(
            "has(self.traffic.gateway) || has(self.traffic.istio) || !has(self.strategy.canary) || "
            "self.strategy.canary.steps.all(s, !has(s.mirror) || s.mirror == 0)",
            "mirror needs traffic.gateway or traffic.istio: a Service cannot copy requests",
            ".strategy.canary",
        ),
        Rule(
            "self.workload == oldSelf.workload",
            "workload never changes; write another release beside this one, then delete this one",
            ".workload",
        ),
        *(
            Rule(
                f"self.workload != 'DaemonSet' || !({given})",
                f"a DaemonSet has one Pod on each node and no shares: remove {path[1:]}",
                path,
            )
            for path, given in _NOT_FOR_DAEMON_SETS.items()
        ),
    )
    workload: Annotated[
        Workload,
        Field(
            description="What runs the Pods. Deployment: as many as `replicas` says. DaemonSet: "
            "one on each node that its template allows, for agents of nodes; all traffic moves "
            "at once."
        ),
    ] = Workload.DEPLOYMENT
    replicas: Annotated[
        int,
        Field(
            description="Pods of the active revision. Served by the scale subresource; "
            "changing it makes no new revision. It means nothing for a DaemonSet.",
            ge=0,
            le=10000,
        ),
    ] = 1
    template: Annotated[
        PodTemplate,
        Field(description="Template of the Pods. Every change of it is a new revision."),
    ]
    service: Annotated[ReleaseService, Field(description="How clients reach the release.")]
    traffic: Annotated[
        Traffic,
        Field(description="What carries the traffic; without it Services alone."),
    ] = Traffic()
    strategy: Annotated[Strategy, Field(description="How traffic moves.")] = Strategy()
    health: Annotated[Health, Field(description="What counts as healthy.")] = Health()
    guard: Annotated[Guard, Field(description="What happens when it stops being healthy.")] = (
        Guard()
    )
    disruption: Annotated[
        Disruption,
        Field(description="What a drain of nodes leaves; becomes a PodDisruptionBudget."),
    ] = Disruption()
    keep_warm: Annotated[
        Duration,
        Field(description="How long a revision that lost the traffic stays at full scale."),
    ] = 600.0
    config: Annotated[Config, Field(description="Exceptions from frozen configuration.")] = Config()
    history_limit: Annotated[
        int,
        Field(
            description="Revisions kept besides the active, candidate and known-good one.",
            ge=0,
            le=100,
        ),
    ] = 10
    paused: Annotated[
        bool,
        Field(description="Start and promote nothing new. The guard keeps watching and reverts."),
    ] = False


class ReleasePhase(StrEnum):
    """One word for people; nothing in the operator reads it."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    AWAITING_PROMOTION = "AwaitingPromotion"
    ACTIVE = "Active"
    REJECTED = "Rejected"
    REVERTING = "Reverting"
    REVERTED = "Reverted"
    FAILED = "Failed"
    DEGRADED = "Degraded"
    PAUSED = "Paused"


class Source(Model):
    """Which spec was turned into which revision, so that tags are resolved once for it."""

    generation: Annotated[int, Field(description="Generation of the release's spec.", ge=0)]
    template_hash: Annotated[
        str, Field(description="Hash of the template as it was written.", max_length=64)
    ]
    revision: Annotated[str, Field(description="Revision that was made of it.", max_length=253)]


class Revert(Model):
    """A move back that waits for its target to start; recorded so that a restart loses nothing."""

    target: Annotated[str, Field(description="Revision that gets the traffic.", max_length=253)]
    source: Annotated[str, Field(description="Revision that loses it.", max_length=253)]
    reason: Annotated[str, Field(description="Reason for the move.", max_length=64)]
    message: Annotated[str, Field(description="What was found.", max_length=2048)]
    action: Annotated[
        str | None, Field(description="UID of the ReleaseAction that asked.", max_length=64)
    ] = None


class StepStatus(Model):
    """How far a canary is."""

    index: Annotated[int, Field(description="Step, counted from 1.", ge=1)]
    count: Annotated[int, Field(description="Number of steps.", ge=1)]
    weight: Annotated[int, Field(description="Percent that the step asks for.", ge=0, le=100)]
    since: Annotated[
        Time | None, Field(description="When it took effect; absent while it is being made.")
    ] = None
    until: Annotated[Time | None, Field(description="When its hold ends.")] = None


class TrafficShare(Model):
    """Share of the traffic that a revision gets."""

    revision: Annotated[str, Field(description="Name of the revision.", max_length=253)]
    weight: Annotated[int, Field(description="Percent of the traffic.", ge=0, le=100)]


class ReleaseStatus(Model):
    """What the operator saw and did."""

    observed_generation: Annotated[
        int, Field(description="Generation of the spec that the status speaks of.", ge=0)
    ] = 0
    phase: Annotated[
        ReleasePhase | None, Field(description="Summary for people; programs read conditions.")
    ] = None
    active_revision: Annotated[
        str | None, Field(description="Revision that serves.", max_length=253)
    ] = None
    candidate_revision: Annotated[
        str | None, Field(description="Revision on its way to serve.", max_length=253)
    ] = None
    known_good_revision: Annotated[
        str | None, Field(description="Where a revert goes.", max_length=253)
    ] = None
    source: Annotated[
        Source | None, Field(description="Revision that the current spec stands for.")
    ] = None
    revert: Annotated[Revert | None, Field(description="A move back under way.")] = None
    traffic: Annotated[
        tuple[TrafficShare, ...],
        Field(
            description="Where the traffic goes.",
            max_length=16,
            json_schema_extra=keyed("revision"),
        ),
    ] = ()
    step: Annotated[
        StepStatus | None, Field(description="Step of the canary that is under way.")
    ] = None
    # The scale subresource holds it in 32 bits.
    replicas: Annotated[
        int, Field(description="Pods of the active revision.", ge=0, le=2**31 - 1)
    ] = 0
    ready_replicas: Annotated[
        int, Field(description="Ready Pods of the active revision.", ge=0)
    ] = 0
    selector: Annotated[
        str,
        Field(description="Label selector of the active Pods, for autoscalers.", max_length=512),
    ] = ""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            description="Ready, Reconciling, Stalled, Verified, Healthy.",
            max_length=16,
            json_schema_extra=keyed("type"),
        ),
    ] = ()
