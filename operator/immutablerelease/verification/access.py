"""What may be asked, how and as whom: credentials of the release, permissions of the admin."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from immutablerelease.api.policy import Policy

from .credentials import find_credential
from .matching import matches_namespace
from .reference import Reference


@dataclass(frozen=True)
class Access:
    """How registries are reached for one release. Its repr shows no secret."""

    # Contents of Secrets of type kubernetes.io/dockerconfigjson, in order of preference.
    credentials: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    # Registries (`host` or `host:port`) that are asked by plain HTTP.
    insecure: frozenset[str] = frozenset()
    # Registry -> PEM certificates that are its roots instead of the system's.
    trusted_cas: Mapping[str, str] = field(default_factory=dict)
    # Hosts besides the registry's own that may be sent its credentials for a token.
    token_hosts: frozenset[str] = frozenset()

    def named(self, host: str) -> bool:
        """Whether the admin named this registry, so may have it on this machine."""
        return host in self.insecure or host.removesuffix(":443") in self.trusted_cas

    @classmethod
    def allowed_by(
        cls,
        policies: Iterable[Policy],
        *,
        namespace: str,
        namespace_labels: Mapping[str, str],
        credentials: Iterable[Mapping[str, Any]] = (),
    ) -> Self:
        """What the policies that match the namespace allow, together."""
        insecure: set[str] = set()
        token_hosts: set[str] = set()
        cas: dict[str, list[str]] = {}
        for policy in sorted(policies, key=lambda policy: policy.metadata.name):
            if not matches_namespace(policy.spec, namespace, namespace_labels):
                continue
            registries = policy.spec.registries
            insecure.update(registries.insecure)
            token_hosts.update(registries.token_hosts)
            for ca in registries.trusted_cas:
                for host in ca.hosts:
                    cas.setdefault(host.removesuffix(":443"), []).append(ca.pem)
        return cls(
            credentials=tuple(credentials),
            insecure=frozenset(insecure),
            trusted_cas={host: "\n".join(pems) for host, pems in cas.items()},
            token_hosts=frozenset(token_hosts),
        )

    def fingerprint(self, reference: Reference) -> str:
        """Stands for all that decides what this access sees of the image.

        Verdicts are shared only between equal ones, so that nobody learns by another's credentials.
        """
        credential = find_credential(self.credentials, reference)
        parts = (
            credential.fingerprint() if credential else "",
            str(reference.registry in self.insecure),
            self.trusted_cas.get(reference.registry.removesuffix(":443"), ""),
            *sorted(self.token_hosts),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()
