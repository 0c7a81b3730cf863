"""What policies refer to by name, as content: public keys in Secrets, trust roots in ConfigMaps.

Whoever asks for a verdict reads these objects, from the operator's own namespace, and hands over
what they hold. What is absent here could not be read, and leaves a verdict Unknown.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from immutablerelease.api.authorities import Authority, ContentReference
from immutablerelease.api.policy import Policy

from .errors import TrustUnavailable
from .transparency import public_good_root
from .trust_root import TrustRoot, parse_trust_root

# Name of the object and key in its data.
Place = tuple[str, str]


@dataclass(frozen=True)
class References:
    """Which objects policies refer to."""

    secrets: frozenset[Place]
    config_maps: frozenset[Place]


@dataclass(frozen=True)
class Trust:
    """The content of the objects that policies refer to."""

    secrets: Mapping[Place, str] = field(default_factory=dict)
    config_maps: Mapping[Place, str] = field(default_factory=dict)

    def key(self, reference: ContentReference) -> str:
        """The PEM text in a Secret; raises TrustUnavailable."""
        return _content(self.secrets, reference, "Secret")

    def root(self, authority: Authority) -> TrustRoot:
        """What the authority's signatures are checked against.

        Raises:
            TrustUnavailable: the ConfigMap could not be read.
            UnusableTrustRoot: it holds no trust root.
        """
        if authority.trust_root is None:
            return public_good_root()
        content = _content(self.config_maps, authority.trust_root.config_map_ref, "ConfigMap")
        return parse_trust_root(content.encode())

    def content_hashes(self, policy: Policy) -> tuple[str, ...]:
        """One hash for each thing that the policy relies on and does not itself say."""
        return tuple(self._hashes(policy))

    def _hashes(self, policy: Policy) -> Iterator[str]:
        for authority in policy.spec.authorities:
            if authority.key is not None and authority.key.secret_ref is not None:
                yield _hash(self.secrets.get(_place(authority.key.secret_ref)))
            if not _needs_root(authority):
                continue
            if authority.trust_root is None:
                yield public_good_root().fingerprint
            else:
                yield _hash(self.config_maps.get(_place(authority.trust_root.config_map_ref)))


# Of callers whose policies refer to nothing.
NO_TRUST = Trust()


def references(policies: Iterable[Policy]) -> References:
    """What has to be read before these policies can be applied."""
    authorities = [authority for policy in policies for authority in policy.spec.authorities]
    return References(
        secrets=frozenset(
            _place(authority.key.secret_ref)
            for authority in authorities
            if authority.key is not None and authority.key.secret_ref is not None
        ),
        config_maps=frozenset(
            _place(authority.trust_root.config_map_ref)
            for authority in authorities
            if authority.trust_root is not None
        ),
    )


def secret_text(value: str) -> str | None:
    """What a Secret holds under a key; None where that is no text."""
    try:
        # Lines may be broken, as in a manifest that somebody wrote.
        return base64.b64decode("".join(value.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _needs_root(authority: Authority) -> bool:
    return authority.keyless is not None or authority.log_required


def _content(contents: Mapping[Place, str], reference: ContentReference, kind: str) -> str:
    content = contents.get(_place(reference))
    if content is None:
        raise TrustUnavailable(
            f"{kind} {reference.name} with the key {reference.key} could not be read"
        )
    return content


def _place(reference: ContentReference) -> Place:
    return reference.name, reference.key


def _hash(content: str | None) -> str:
    return "absent" if content is None else hashlib.sha256(content.encode()).hexdigest()
