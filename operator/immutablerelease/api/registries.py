"""The section `registries` of a ReleasePolicy: how registries may be reached."""

from typing import Annotated

from pydantic import Field

from .base import Model

Host = Annotated[
    str,
    Field(
        max_length=261,
        min_length=1,
        pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*|\[[0-9a-f:]+\])"
        r"(:[1-9][0-9]{0,4})?$",
    ),
]


class TrustedCA(Model):
    """A private certificate authority, for the registries it is named for and no others."""

    hosts: Annotated[
        tuple[Host, ...],
        Field(description="Registries, as `host` or `host:port`.", min_length=1, max_length=32),
    ]
    pem: Annotated[
        str,
        Field(
            description="Certificates of the authority, PEM. They replace the system's for "
            "these hosts.",
            max_length=65536,
            pattern=r"-----BEGIN CERTIFICATE-----",
        ),
    ]


class Registries(Model):
    """What the operator may do to reach registries, beyond HTTPS with the system's roots."""

    insecure: Annotated[
        tuple[Host, ...],
        Field(
            description="Registries, as `host` or `host:port`, that are asked by plain HTTP. "
            "A registry on a loopback address is asked only if it is named here.",
            max_length=32,
        ),
    ] = ()
    # The alias generator would write `trustedCas`.
    trusted_cas: Annotated[
        tuple[TrustedCA, ...],
        Field(
            description="Private certificate authorities.",
            max_length=16,
            alias="trustedCAs",
        ),
    ] = ()
    token_hosts: Annotated[
        tuple[Host, ...],
        Field(
            description="Hosts other than the registry's own that may be sent its credentials "
            "for a token. Those of Docker Hub and GitLab are known.",
            max_length=32,
        ),
    ] = ()
