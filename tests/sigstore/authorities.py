"""Who is trusted, as a policy says it and as cosign is told it."""

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from tests.sigstore.cosign import TRUST_ROOT

CONFIG_MAP = "sigstore"


class Authority(Protocol):
    """Somebody whose signatures count."""

    def wire(self) -> dict[str, Any]:
        """The authority of a policy."""

    def flags(self) -> tuple[str, ...]:
        """The options of cosign."""


@dataclass(frozen=True)
class Keyless:
    """Somebody known to an issuer, by the trust root of that name."""

    issuer: str
    subject: str
    root: str = TRUST_ROOT
    logged: bool = True

    def but(self, **changes: Any) -> Self:
        """The same, but for something."""
        return replace(self, **changes)

    def wire(self) -> dict[str, Any]:
        identity = {"issuer": self.issuer, "subject": self.subject}
        return {
            "name": "release",
            "keyless": {"identities": [identity]},
            "transparencyLog": "Required" if self.logged else "Ignored",
            **_root(self.root),
        }

    def flags(self) -> tuple[str, ...]:
        return (
            *("--certificate-identity", self.subject),
            *("--certificate-oidc-issuer", self.issuer),
            *("--trusted-root", self.root),
            *(() if self.logged else ("--insecure-ignore-tlog", "--use-signed-timestamps")),
        )


@dataclass(frozen=True)
class Keyed:
    """The holder of the key whose public half is in that file, perhaps in a log of a trust root."""

    file: str
    pem: str
    root: str | None = None

    def wire(self) -> dict[str, Any]:
        authority = {"name": "release", "key": {"pem": self.pem}}
        if self.root is None:
            return authority
        return {**authority, "transparencyLog": "Required", **_root(self.root)}

    def flags(self) -> tuple[str, ...]:
        if self.root is None:
            return ("--key", self.file, "--insecure-ignore-tlog")
        return ("--key", self.file, "--trusted-root", self.root, "--use-signed-timestamps")


def _root(name: str) -> dict[str, Any]:
    return {"trustRoot": {"configMapRef": {"name": CONFIG_MAP, "key": name}}}
