"""What carries the traffic of a release, besides Services: the router that is asked for."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from .base import Model, Rule
from .names import Name, PortNumber

# All that is called from inside of a mesh, as Istio calls it.
MESH: Final = "mesh"


class ParentReference(Model):
    """What routes for the release: a Gateway, or a Service in a mesh."""

    group: Annotated[str, Field(description="API group; empty for a Service.", max_length=253)] = (
        "gateway.networking.k8s.io"
    )
    kind: Annotated[Literal["Gateway", "Service"], Field(description="Kind of the parent.")] = (
        "Gateway"
    )
    name: Annotated[str, Field(description="Name of the parent.", max_length=253, min_length=1)]
    namespace: Annotated[
        str | None, Field(description="Its namespace, if it is another one.", max_length=63)
    ] = None
    section_name: Annotated[
        str | None, Field(description="Listener to attach to.", max_length=253)
    ] = None
    port: Annotated[PortNumber | None, Field(description="Port to attach to.")] = None


class Preview(Model):
    """Requests that reach the candidate before it gets any traffic."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.header) != has(self.cookie)",
            "a preview is chosen by exactly one of header or cookie",
        ),
    )
    header: Annotated[
        str | None,
        Field(
            description="Name of the header.",
            max_length=256,
            pattern=r"^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$",
        ),
    ] = None
    cookie: Annotated[
        str | None,
        Field(description="Name of the cookie.", max_length=64, pattern=r"^[A-Za-z0-9_-]+$"),
    ] = None
    value: Annotated[
        str,
        Field(
            description="Value that asks for the candidate.",
            max_length=256,
            min_length=1,
            pattern=r"^[A-Za-z0-9._~-]+$",
        ),
    ]


class GatewayRoute(Model):
    """The HTTPRoute that the operator makes and owns."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.parentRefs.all(p, (has(p.kind) && p.kind == 'Service') ? "
            "has(p.group) && p.group == '' : "
            "!has(p.group) || p.group == 'gateway.networking.k8s.io')",
            "a parent of kind Gateway has group gateway.networking.k8s.io, one of kind Service an "
            "empty group",
            ".parentRefs",
        ),
    )
    parent_refs: Annotated[
        tuple[ParentReference, ...],
        Field(description="What routes for the release.", min_length=1, max_length=8),
    ]
    hostnames: Annotated[
        tuple[
            Annotated[
                str,
                Field(
                    max_length=253,
                    pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
                ),
            ],
            ...,
        ],
        Field(description="Host names that it answers to; without one, all.", max_length=16),
    ] = ()
    paths: Annotated[
        tuple[Annotated[str, Field(max_length=1024, pattern="^/")], ...],
        Field(description="Path prefixes that it answers to.", min_length=1, max_length=8),
    ] = ("/",)
    port: Annotated[
        Name | None,
        Field(description="Name of the port in `service.ports`; without it, the first one."),
    ] = None
    preview: Annotated[
        Preview | None, Field(description="How to reach the candidate while it is tested.")
    ] = None


class IstioRoute(Model):
    """The VirtualService that the operator makes and owns."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"(has(self.hosts) && size(self.hosts) > 0) || self.gateways.all(g, g == '{MESH}')",
            "requests through a gateway are told by their host: name it in `hosts`",
            ".hosts",
        ),
        Rule(
            "!has(self.hosts) || self.hosts.all(h, self.hosts.exists_one(other, other == h))",
            "a host is named once",
            ".hosts",
        ),
    )
    hosts: Annotated[
        tuple[
            Annotated[
                str,
                Field(
                    max_length=253,
                    pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
                ),
            ],
            ...,
        ],
        Field(
            description="Host names that it answers to; without one, the Service of the release.",
            max_length=16,
        ),
    ] = ()
    gateways: Annotated[
        tuple[
            Annotated[
                str,
                Field(
                    max_length=317,
                    pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
                ),
            ],
            ...,
        ],
        Field(
            description="Gateways of Istio, as `name` or `namespace/name`; `mesh` is all that is "
            "called from inside the mesh.",
            min_length=1,
            max_length=8,
        ),
    ] = (MESH,)
    port: Annotated[
        Name | None,
        Field(
            description="Name of the port in `service.ports` that requests through gateways are "
            "for; without it, the first one. In the mesh each port leads to itself."
        ),
    ] = None
    preview: Annotated[
        Preview | None, Field(description="How to reach the candidate while it is tested.")
    ] = None


class Traffic(Model):
    """What carries the traffic, besides Services."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.gateway) || !has(self.istio)",
            "one router carries the traffic: set `gateway` or `istio`, not both",
        ),
    )
    gateway: Annotated[GatewayRoute | None, Field(description="Weights by the Gateway API.")] = None
    istio: Annotated[
        IstioRoute | None, Field(description="Weights by Istio's own VirtualService.")
    ] = None
