"""What is asked of a revision: of each of its Pods, or of it as a whole."""

from typing import Annotated, ClassVar

from pydantic import Field

from .base import Duration, Model, Rule
from .names import Name, ProbePort


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


class Probe(Model):
    """A question asked of every Pod of the candidate, of what serves and of what is kept warm."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.http), has(self.tcp), has(self.grpc)].exists_one(kind, kind)",
            "a probe has exactly one of http, tcp or grpc",
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
    interval: Annotated[Duration, Field(description="Time between two attempts on one Pod.")] = 2.0
    timeout: Annotated[Duration, Field(description="Time that one attempt may take.")] = 1.0
    failure_threshold: Annotated[
        int, Field(description="Failures in a row after which a Pod fails.", ge=1, le=100)
    ] = 3
    success_threshold: Annotated[
        int, Field(description="Successes in a row after which a Pod passes.", ge=1, le=100)
    ] = 1
