"""The authorities of a policy, ready to judge signatures: keys loaded, identities compiled.

An authority proves a signature or says why not. A signature with a certificate is judged by keyless
authorities; where a layout leaves open how a signature was made, keys are tried as well.
"""

from dataclasses import dataclass

from immutablerelease.api.authorities import Authority
from immutablerelease.api.policy import Policy

from .errors import (
    InvalidPolicy,
    SignatureError,
    UnsupportedSignature,
    UnusableKey,
    VerificationError,
    WrongIdentity,
    WrongKey,
)
from .identities import IdentityRule, load_identity
from .keys import VerificationKey, load_key
from .proof import Proven, prove_identity, prove_key
from .signature import Signature
from .trust import Trust
from .trust_root import TrustRoot


@dataclass(frozen=True)
class KeyAuthority:
    """Somebody with a key."""

    name: str
    key: VerificationKey
    # Where a log is required: what it is known by.
    root: TrustRoot | None

    def judges(self, signature: Signature) -> bool:
        """Whether the signature can be by this kind of authority."""
        return signature.certificate is None or signature.envelope is None

    def prove(self, claim: "_Claim") -> Proven:
        """That this authority signed; raises SignatureError."""
        return prove_key(claim.signature, self.key, self.root, log_required=self.root is not None)


@dataclass(frozen=True)
class KeylessAuthority:
    """Whoever holds a certificate in one of these names."""

    name: str
    identities: tuple[IdentityRule, ...]
    root: TrustRoot
    log_required: bool

    def judges(self, signature: Signature) -> bool:
        """Whether the signature can be by this kind of authority."""
        return signature.certificate is not None

    def prove(self, claim: "_Claim") -> Proven:
        """That this authority signed; raises SignatureError."""
        proven = claim.identity(self.root, log_required=self.log_required)
        identity = proven.identity
        if identity is None or not any(rule.holds(identity) for rule in self.identities):
            raise WrongIdentity(f"a signature is by {identity}, whom {self.name} does not name")
        return proven


class _Claim:
    """A signature that several authorities judge; whose certificate it is is proven once for each
    trust root, however many authorities rely on it.
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._outcomes: dict[tuple[str, bool], Proven | SignatureError] = {}

    def identity(self, root: TrustRoot, *, log_required: bool) -> Proven:
        asked = root.fingerprint, log_required
        if asked not in self._outcomes:
            try:
                self._outcomes[asked] = prove_identity(
                    self.signature, root, log_required=log_required
                )
            except SignatureError as error:
                self._outcomes[asked] = error
        outcome = self._outcomes[asked]
        if isinstance(outcome, SignatureError):
            raise outcome
        return outcome


@dataclass(frozen=True)
class Authorities:
    """All authorities of a policy."""

    members: tuple[KeyAuthority | KeylessAuthority, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in the policy's order."""
        return tuple(member.name for member in self.members)

    def prove(self, signature: Signature) -> tuple[Proven, tuple[str, ...]]:
        """Who signed, and the names of the authorities that this satisfies.

        Raises:
            SignatureError: none is satisfied; what tells most about why.
        """
        claim = _Claim(signature)
        proven: Proven | None = None
        names: list[str] = []
        problems: list[SignatureError] = []
        for member in self.members:
            if not member.judges(signature):
                continue
            try:
                proven = member.prove(claim)
                names.append(member.name)
            except SignatureError as error:
                problems.append(error)
        if proven is None:
            raise self._why(signature, problems)
        return proven, tuple(names)

    def _why(self, signature: Signature, problems: list[SignatureError]) -> SignatureError:
        if not problems:
            made, wanted = "key", "certificate"
            if signature.certificate is not None:
                made, wanted = wanted, made
            return UnsupportedSignature(f"a signature is by a {made}, expected a {wanted}")
        # A broken proof tells more than a stranger, and a stranger's name more than no name.
        for kind in (WrongKey | WrongIdentity, WrongKey):
            telling = [problem for problem in problems if not isinstance(problem, kind)]
            if telling:
                return telling[-1]
        keys = [
            item.key.fingerprint[:19] for item in self.members if isinstance(item, KeyAuthority)
        ]
        if not keys:
            return problems[0]
        return WrongKey(f"a signature is by none of the keys {', '.join(keys)}")


def load_authorities(policy: Policy, trust: Trust) -> Authorities:
    """The authorities of the policy; raises InvalidPolicy if it could never hold, or is unclear.

    The API server checks most of this by CEL; a policy that got past it must not pass here.
    """
    spec, name = policy.spec, policy.metadata.name
    if len({authority.name for authority in spec.authorities}) != len(spec.authorities):
        raise InvalidPolicy(f"policy {name}: two authorities have one name")
    members = []
    for authority in spec.authorities:
        try:
            members.append(_load(authority, trust))
        except VerificationError as error:
            raise type(error)(f"policy {name}, authority {authority.name}: {error}") from error
    keys = {member.key.fingerprint for member in members if isinstance(member, KeyAuthority)}
    distinct = len(keys) + sum(isinstance(member, KeylessAuthority) for member in members)
    if distinct < spec.quorum:
        raise InvalidPolicy(
            f"policy {name}: {distinct} distinct signers, fewer than its quorum of {spec.quorum}"
        )
    return Authorities(tuple(members))


def _load(authority: Authority, trust: Trust) -> KeyAuthority | KeylessAuthority:
    if (authority.key is None) == (authority.keyless is None):
        raise InvalidPolicy("it has not exactly one of key and keyless")
    if authority.keyless is not None:
        return KeylessAuthority(
            authority.name,
            tuple(load_identity(item) for item in authority.keyless.identities),
            trust.root(authority),
            authority.log_required,
        )
    root = trust.root(authority) if authority.log_required else None
    return KeyAuthority(authority.name, load_key(_pem(authority, trust)), root)


def _pem(authority: Authority, trust: Trust) -> str:
    key = authority.key
    if key is None or (key.pem is None) == (key.secret_ref is None):
        raise UnusableKey("its key is not given by exactly one of pem and secretRef")
    return trust.key(key.secret_ref) if key.secret_ref is not None else key.pem or ""
