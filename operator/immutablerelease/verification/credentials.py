"""Credentials for registries, from Secrets of type kubernetes.io/dockerconfigjson.

https://kubernetes.io/docs/concepts/containers/images/#config-json: keys are hosts, with an optional
port and path; a `*` stands for one label of the host; the most specific key wins. Here a path
matches whole segments only.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .reference import DOCKER_HUB, DOCKER_HUB_ALIASES, Reference


@dataclass(frozen=True)
class Credential:
    """A user of a registry. Its repr shows no secret."""

    username: str
    password: str = field(repr=False)

    def basic(self) -> str:
        """The value of an Authorization header, RFC 7617."""
        text = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(text).decode()}"

    def fingerprint(self) -> str:
        """Stands for the credential where it must be compared but not kept."""
        return hashlib.sha256(f"{self.username}\0{self.password}".encode()).hexdigest()


def find_credential(
    configs: Iterable[Mapping[str, Any]], reference: Reference
) -> Credential | None:
    """The credential whose key is the longest that matches; of equals, the first."""
    best: tuple[int, Credential] | None = None
    for config in configs:
        auths = config.get("auths")
        if not isinstance(auths, Mapping):
            continue
        for key, entry in auths.items():
            length = _match_length(str(key), reference)
            credential = _read_entry(entry) if length else None
            if credential is not None and (best is None or length > best[0]):
                best = (length, credential)
    return best[1] if best else None


def _match_length(key: str, reference: Reference) -> int:
    """How specific the key is for the image; 0 when it does not match."""
    host, _, path = key.removeprefix("https://").removeprefix("http://").partition("/")
    # `https://index.docker.io/v1/` is how docker login has always written Docker Hub.
    path = path.strip("/")
    if path in {"v1", "v2"}:
        path = ""
    if not _host_matches(host.removesuffix(":443"), reference.registry.removesuffix(":443")):
        return 0
    if path and path != reference.repository and not reference.repository.startswith(f"{path}/"):
        return 0
    return len(host) + 1000 * len(path)


def _host_matches(pattern: str, host: str) -> bool:
    if host == DOCKER_HUB:
        return pattern in DOCKER_HUB_ALIASES
    pattern_name, _, pattern_port = pattern.partition(":")
    name, _, port = host.partition(":")
    labels, expected = pattern_name.split("."), name.split(".")
    return (
        pattern_port == port
        and len(labels) == len(expected)
        and all(
            found == wanted or found == "*" for found, wanted in zip(labels, expected, strict=True)
        )
    )


def _read_entry(entry: Any) -> Credential | None:
    if not isinstance(entry, Mapping):
        return None
    username, password = entry.get("username"), entry.get("password")
    if isinstance(username, str) and isinstance(password, str) and username:
        return Credential(username, password)
    auth = entry.get("auth")
    try:
        decoded = base64.b64decode(auth, validate=True).decode() if isinstance(auth, str) else ""
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    username, colon, password = decoded.partition(":")
    return Credential(username, password) if colon and username else None
