"""Why an image could not be resolved or verified, as types; each says what a user can do.

A definite finding about the image, the policy or the registry's honesty is Refused. What could not
be established is Unknown and worth another try. No error ever counts as a pass.
"""

import json
from typing import ClassVar, Literal


def quote(text: object) -> str:
    """Foreign text made safe for a message: ASCII, quoted, short."""
    shown = json.dumps(str(text))
    return shown if len(shown) <= 120 else f'{shown[:112]}..."'


class VerificationError(Exception):
    """Base of all; `reason` is for programs, the message for people, `advice` what to do next."""

    reason: ClassVar[str] = "VerificationFailed"
    verdict: ClassVar[Literal["Refused", "Unknown"]] = "Refused"
    advice: ClassVar[str] = ""

    @property
    def retry(self) -> bool:
        """Whether the same question may be answered otherwise later, with nothing changed."""
        return self.verdict == "Unknown"

    def diagnostics(self) -> str:
        """What was found and what to do next, in one line."""
        return f"{self}; {self.advice}" if self.advice else str(self)


class InternalFault(VerificationError):
    """Something that this code does not foresee went wrong."""

    reason = "InternalError"
    verdict = "Unknown"
    advice = "this is a fault of the operator; please report it"


class InvalidReference(VerificationError):
    """The image is not named in a way that means exactly one thing."""

    reason = "InvalidReference"
    advice = "write the image as registry/repository:tag or registry/repository@sha256:..."


class InvalidPolicy(VerificationError):
    """A policy cannot be applied as it is written."""

    reason = "InvalidPolicy"
    advice = "ask a cluster admin to correct the ReleasePolicy"


class UnusableKey(InvalidPolicy):
    """A public key is malformed, too weak or of an unsupported kind."""

    reason = "UnusableKey"


class UnusableTrustRoot(InvalidPolicy):
    """A trust root cannot be read."""

    reason = "UnusableTrustRoot"


class TrustUnavailable(VerificationError):
    """A Secret or ConfigMap that a policy names could not be had."""

    reason = "TrustUnavailable"
    verdict = "Unknown"
    advice = "create it in the operator's namespace, or correct the ReleasePolicy"


class RegistryError(VerificationError):
    """The registry did not give what was asked for."""


class NotFound(RegistryError):
    """The registry says that it does not have it."""

    reason = "NotFound"
    advice = "check the image's name, that it was pushed, and the imagePullSecrets"


class RegistryUnauthorized(RegistryError):
    """The registry refused the credentials, or wants some."""

    reason = "RegistryUnauthorized"
    verdict = "Unknown"
    advice = "check the imagePullSecrets of the release for this registry"


class RegistryUnavailable(RegistryError):
    """The registry could not be reached, or failed."""

    reason = "RegistryUnavailable"
    verdict = "Unknown"
    advice = "it is asked again"


class RegistryCertificateInvalid(RegistryUnavailable):
    """The registry does not prove that it is who it should be."""

    reason = "RegistryCertificateInvalid"
    advice = (
        "check its certificate; a cluster admin can name a private authority in "
        "`registries.trustedCAs` of a ReleasePolicy"
    )


class RegistryNotAllowed(RegistryError):
    """The registry, or where it sends us, is not a place that the admin allows to be asked."""

    reason = "RegistryNotAllowed"
    advice = "a cluster admin can allow hosts in `registries` of a ReleasePolicy"


class IntegrityError(RegistryError):
    """The registry's answer contradicts itself or what was asked for."""

    reason = "IntegrityError"
    advice = "do not trust this registry, or a proxy before it, until this is explained"


class DigestMismatch(IntegrityError):
    """Content is not what its digest says."""

    reason = "DigestMismatch"


class TooMuchData(IntegrityError):
    """More, or longer, than anything honest would be."""

    reason = "TooMuchData"
    advice = "remove what does not belong there from the registry"


class MalformedContent(IntegrityError):
    """A manifest, an index or a token that does not follow its specification."""

    reason = "MalformedContent"
    advice = "push the image again with a current tool"


class SignatureError(VerificationError):
    """One signature that does not count. Another one still may."""

    advice = "sign the image again with a trusted key"


class MalformedSignature(SignatureError):
    """The signature does not follow its specification."""

    reason = "MalformedSignature"


class UnsupportedSignature(SignatureError):
    """A well-formed signature of a kind that no keyed authority makes."""

    reason = "UnsupportedSignature"


class WrongKey(SignatureError):
    """No key of the policy made this signature."""

    reason = "WrongKey"


class WrongSubject(SignatureError):
    """A trusted key signed something, but not this image."""

    reason = "WrongSubject"


class WrongPredicateType(SignatureError):
    """A trusted key made a statement about the image, but it is not a signature."""

    reason = "WrongPredicateType"


class UntrustedCertificate(SignatureError):
    """The certificate is not one that an authority of the trust root issued to sign code."""

    reason = "UntrustedCertificate"


class CertificateNotLogged(UntrustedCertificate):
    """No trusted certificate log promised to publish the certificate."""

    reason = "CertificateNotLogged"


class WrongIdentity(SignatureError):
    """A certificate that holds, but names nobody whom the policy trusts."""

    reason = "WrongIdentity"


class NoTrustedTime(SignatureError):
    """Nobody trusted says when the signature was made."""

    reason = "NoTrustedTime"


class NotLogged(SignatureError):
    """No entry in a transparency log came with the signature, or none that holds."""

    reason = "NotLogged"


class WrongLogEntry(SignatureError):
    """A log entry that holds, but is about another signature."""

    reason = "WrongLogEntry"


class AttestationError(VerificationError):
    """An attestation by a trusted authority whose content is not what the policy wants."""

    advice = "build the image as the policy wants and attest it again"


class WrongProvenance(AttestationError):
    """It was built from another source, or by another builder."""

    reason = "WrongProvenance"


class WrongSbom(AttestationError):
    """It is no bill of materials of the format that it names."""

    reason = "WrongSbom"


class RuleBroken(AttestationError):
    """A rule over the predicate is false."""

    reason = "RuleBroken"


class RuleFailed(AttestationError):
    """A rule over the predicate could not be evaluated, which is not true."""

    reason = "RuleFailed"
    advice = "compare the rule with what the attestation says"


class RulesUnavailable(VerificationError):
    """Rules were not evaluated because the machine is too busy."""

    reason = "RulesUnavailable"
    verdict = "Unknown"
    advice = "it is tried again"
