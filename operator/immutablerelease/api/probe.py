"""What is asked of a revision: of each of its Pods, or of it as a whole."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from .base import Duration, Model, Rule
from .names import Name, ProbePort
from .template import JobTemplate

# A dollar sign before anything else than a placeholder's name is no placeholder: an anchor, say.
_PLACEHOLDERS: Final = r"^(?:[^$]|[$](?:revision|release|namespace)\b|[$][^a-zA-Z_{]|[$]$)*$"
Query = Annotated[str, Field(max_length=4096, min_length=1)]


class HttpProbe(Model):
    """GET on every Pod's own address; never through a Service."""

    path: Annotated[str, Field(description="Path to request.", max_length=1024, pattern="^/")] = "/"
    port: Annotated[
        ProbePort,
        Field(description="Port number of the Pod, or the name of a port of `service.ports`."),
    ]
    expect_status: Annotated[
        str,
        Field(
            description="Status codes that pass: numbers and ranges, such as `200-299,304`.",
            max_length=128,
            pattern=r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?(,[1-5][0-9]{2}(-[1-5][0-9]{2})?)*$",
        ),
    ] = "200-299"


class TcpProbe(Model):
    """A TCP connection to every Pod's own address."""

    port: Annotated[
        ProbePort,
        Field(description="Port number of the Pod, or the name of a port of `service.ports`."),
    ]


class GrpcProbe(Model):
    """A call of grpc.health.v1.Health/Check on every Pod's own address; it must say SERVING."""

    port: Annotated[
        ProbePort,
        Field(description="Port number of the Pod, or the name of a port of `service.ports`."),
    ]
    service: Annotated[
        str,
        Field(
            description="Name of the service that is asked about; empty asks about the whole Pod.",
            max_length=256,
        ),
    ] = ""


class Threshold(Model):
    """The values that pass; a bound itself passes too."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("has(self.max) || has(self.min)", "a threshold has a max, a min or both"),
        Rule(
            "!has(self.max) || !has(self.min) || self.min <= self.max",
            "the min of a threshold is not more than its max: nothing could pass",
        ),
    )
    max: Annotated[float | None, Field(description="The largest value that passes.")] = None
    min: Annotated[float | None, Field(description="The smallest value that passes.")] = None


class MinimumSamples(Model):
    """How much must have been measured before a value counts."""

    query: Annotated[
        Query,
        Field(description="Instant query in PromQL, such as the number of requests."),
    ]
    count: Annotated[
        float, Field(description="Below this value nothing is known yet: no pass, no failure.")
    ]


class Compare(Model):
    """How much worse than the active revision a candidate may be; higher values are worse.

    With both limits written, one that holds is enough: twice of almost nothing is no trouble.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.maxRatio) || has(self.maxDifference)",
            "a comparison has a maxRatio, a maxDifference or both",
        ),
    )
    max_ratio: Annotated[
        float | None,
        Field(description="Passes up to the active revision's value times this.", ge=0),
    ] = None
    max_difference: Annotated[
        float | None,
        Field(description="Passes up to the active revision's value plus this.", ge=0),
    ] = None


class PrometheusProbe(Model):
    """An instant query whose one value is judged.

    No data, no number and no answer are no evidence: they pass nothing and fail nothing.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.threshold) || has(self.compare)",
            "a probe by prometheus has a threshold, a comparison or both",
        ),
        Rule(
            "!has(self.compare) || self.query.contains('$revision')",
            "a query that is compared must contain $revision: else both revisions give one value",
            ".query",
        ),
        *(
            Rule(
                f"{given}self.{field}.matches(r'{_PLACEHOLDERS}')",
                "the placeholders of a query are $revision, $release and $namespace",
                f".{field}",
            )
            for given, field in (
                ("", "query"),
                ("!has(self.minimumSamples) || ", "minimumSamples.query"),
            )
        ),
    )
    address: Annotated[
        str | None,
        Field(
            description="Base URL of the server, one that the operator was told to ask; without "
            "it, the operator's own.",
            max_length=512,
            pattern="^https?://",
        ),
    ] = None
    query: Annotated[
        Query,
        Field(
            description="Instant query in PromQL with a single value; $revision, $release and "
            "$namespace stand for names, to be written inside quotes."
        ),
    ]
    threshold: Annotated[Threshold | None, Field(description="Values that pass.")] = None
    minimum_samples: Annotated[
        MinimumSamples | None,
        Field(description="What must have been measured before a value counts."),
    ] = None
    compare: Annotated[
        Compare | None,
        Field(description="Judges a candidate by what the active revision shows at that time."),
    ] = None


class When(StrEnum):
    """When a job runs."""

    BEFORE_PROMOTION = "BeforePromotion"
    AFTER_PROMOTION = "AfterPromotion"


class JobProbe(Model):
    """A Job that runs once for a revision; it passes when it completes.

    Its template is part of the revision: another one makes another revision.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "duration(self.timeout) >= duration('1s')",
            "the timeout of a job is at least 1s: no Pod starts in less",
            ".timeout",
        ),
    )
    # A revision keeps it with its images by digest; among the probes of its status it is empty.
    template: Annotated[
        JobTemplate | None, Field(description="Template of the one Pod; its images are verified.")
    ] = None
    when: Annotated[
        When,
        Field(
            description="BeforePromotion runs it once the Pods are ready, before any traffic; "
            "AfterPromotion runs it once all traffic goes to the revision."
        ),
    ] = When.BEFORE_PROMOTION
    timeout: Annotated[
        Duration, Field(description="Time that the job may take, its start included.")
    ] = 300.0


class Scope(StrEnum):
    """When a probe is asked."""

    # Before it gets traffic.
    CANDIDATE = "Candidate"
    # Once it gets traffic, be it a part of it.
    SERVING = "Serving"
    ALWAYS = "Always"


class Probe(Model):
    """A question asked of every Pod of a revision, or of the revision as a whole."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.http), has(self.tcp), has(self.grpc), has(self.prometheus), has(self.job)]"
            ".exists_one(kind, kind)",
            "a probe has exactly one of http, tcp, grpc, prometheus or job",
        ),
        Rule(
            "duration(self.interval) >= duration('100ms')",
            "interval is at least 100ms: Pods have other work to do",
            ".interval",
        ),
        Rule(
            "duration(self.timeout) > duration('0s') "
            "&& duration(self.timeout) <= duration(self.interval)",
            "timeout is more than 0s and not longer than interval (where they are not written, "
            "timeout is 1s and interval 2s)",
            ".timeout",
        ),
    )
    name: Annotated[Name, Field(description="Name of the probe, unique in the release.")]
    http: Annotated[HttpProbe | None, Field(description="Probe by HTTP.")] = None
    tcp: Annotated[TcpProbe | None, Field(description="Probe by TCP connection.")] = None
    grpc: Annotated[
        GrpcProbe | None, Field(description="Probe by the health protocol of gRPC.")
    ] = None
    prometheus: Annotated[
        PrometheusProbe | None, Field(description="Probe by a query of Prometheus.")
    ] = None
    job: Annotated[JobProbe | None, Field(description="Probe by a Job that runs once.")] = None
    scope: Annotated[
        Scope,
        Field(
            description="Candidate asks before the revision gets traffic, Serving once it gets "
            "some, Always both. What measures traffic has scope Serving. A job has its `when`."
        ),
    ] = Scope.ALWAYS
    interval: Annotated[Duration, Field(description="Time between two attempts.")] = 2.0
    timeout: Annotated[Duration, Field(description="Time that one attempt may take.")] = 1.0
    failure_threshold: Annotated[
        int, Field(description="Failures in a row until it fails.", ge=1, le=100)
    ] = 3
    success_threshold: Annotated[
        int, Field(description="Successes in a row until it passes.", ge=1, le=100)
    ] = 1

    @property
    def whole(self) -> bool:
        """Whether it is asked of a revision as a whole, once, instead of each of its Pods."""
        return self.prometheus is not None or self.job is not None

    @property
    def recorded(self) -> "Probe":
        """What a status keeps of it: the template of a job is part of the revision already."""
        if self.job is None:
            return self
        return self.model_copy(update={"job": self.job.model_copy(update={"template": None})})
