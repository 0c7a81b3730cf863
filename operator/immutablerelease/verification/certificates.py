"""Signing certificates: whom they name, which key they carry, and whether an authority issued them.

The profile is Fulcio's: https://github.com/sigstore/fulcio/blob/main/docs/certificate-specification.md.
Paths are built and checked by the `cryptography` package (RFC 5280); a certificate is judged at the
time of the signature, since it is valid for minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
)
from cryptography.x509.verification import VerificationError as PathError

from .errors import MalformedSignature, UntrustedCertificate, UnusableKey, quote
from .keys import VerificationKey, as_key
from .trust_root import CertificateAuthority

MAX_CERTIFICATES = 8
# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
_ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_USERNAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
_UTF8_STRING = 0x0C


@dataclass(frozen=True)
class Identity:
    """Who holds a certificate: the subject, and the issuer that vouched for it."""

    subject: str
    issuer: str

    def __str__(self) -> str:
        return f"{quote(self.subject)} by {quote(self.issuer)}"


@dataclass(frozen=True)
class SigningCertificate:
    """A certificate that came with a signature; not yet trusted."""

    certificate: x509.Certificate
    key: VerificationKey

    @cached_property
    def der(self) -> bytes:
        """The certificate's own bytes."""
        return self.certificate.public_bytes(Encoding.DER)

    def issued_by(
        self, authorities: Sequence[CertificateAuthority], time: datetime
    ) -> tuple[x509.Certificate, ...]:
        """The path from the leaf to the authority that issued it; raises UntrustedCertificate."""
        failures = []
        for authority in authorities:
            if not authority.held_at(time):
                failures.append(f"an authority was not in use at {time:%Y-%m-%dT%H:%M:%SZ}")
                continue
            try:
                return self._path(authority, time)
            except (PathError, x509.UnsupportedGeneralNameType, ValueError) as error:
                failures.append(str(error).splitlines()[0] if str(error) else type(error).__name__)
        told = "; ".join(dict.fromkeys(failures)) or "the trust root has no authority"
        raise UntrustedCertificate(
            f"the certificate does not lead to an authority of the trust root as of "
            f"{time:%Y-%m-%dT%H:%M:%SZ} ({told})"
        )

    def _path(
        self, authority: CertificateAuthority, time: datetime
    ) -> tuple[x509.Certificate, ...]:
        # The defaults ask for TLS client authentication; code signing is checked by `load`.
        usage = (x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None)
        *intermediates, anchor = authority.certificates
        verifier = (
            PolicyBuilder()
            .store(Store([anchor]))
            .time(time)
            .extension_policies(
                ca_policy=ExtensionPolicy.webpki_defaults_ca().may_be_present(*usage),
                ee_policy=ExtensionPolicy.webpki_defaults_ee().may_be_present(*usage),
            )
            .build_client_verifier()
        )
        return tuple(verifier.verify(self.certificate, intermediates).chain)

    def identity(self) -> Identity:
        """Whom the certificate names; raises UntrustedCertificate unless that is exactly one."""
        try:
            names = list(
                self.certificate.extensions.get_extension_for_class(
                    x509.SubjectAlternativeName
                ).value
            )
        except x509.ExtensionNotFound:
            names = []
        if len(names) != 1:
            raise UntrustedCertificate(f"the certificate names {len(names)} subjects, expected one")
        return Identity(_subject(names[0]), self._issuer())

    def _issuer(self) -> str:
        found = {
            _issuer(extension.value)
            for extension in self.certificate.extensions
            if extension.oid in {_ISSUER_V1, _ISSUER_V2}
        }
        if len(found) != 1:
            raise UntrustedCertificate(
                f"the certificate names {len(found)} issuers of identities, expected one"
            )
        return found.pop()


def load_certificate(der: bytes, chain: Sequence[bytes] = ()) -> SigningCertificate:
    """The leaf, if it is one that signs; `chain` is what came with it.

    Authorities are taken from the trust root alone, never from what comes with a signature.

    Raises:
        MalformedSignature: it is no certificate, or there is a root among those that came along.
        UntrustedCertificate: it is not for signing code, or for a key that is too weak.
    """
    if len(chain) > MAX_CERTIFICATES:
        raise MalformedSignature(f"{len(chain)} certificates, at most {MAX_CERTIFICATES} are read")
    leaf, *others = (_load(item) for item in (der, *chain))
    if any(other.issuer == other.subject for other in others):
        raise MalformedSignature("certificate chain: holds a root, which only the policy may name")
    _require_leaf(leaf)
    try:
        return SigningCertificate(leaf, as_key(leaf.public_key()))
    except UnusableKey as error:
        raise UntrustedCertificate(f"the certificate's key: {error}") from error


def split_pem(text: str) -> list[bytes]:
    """The DER of every certificate in a PEM text; raises MalformedSignature."""
    try:
        loaded = x509.load_pem_x509_certificates(text.encode())
    except Exception as error:  # the package raises many types, and everything means: no
        raise MalformedSignature(f"certificate: not PEM ({type(error).__name__})") from error
    return [item.public_bytes(Encoding.DER) for item in loaded]


def _load(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        # These are parsed lazily: what is malformed in them shows up here, not later.
        _ = certificate.extensions, certificate.public_key(), certificate.issuer
        _ = certificate.subject, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except Exception as error:  # the package raises many types, and everything means: no
        raise MalformedSignature(f"certificate: cannot be read ({type(error).__name__})") from error
    return certificate


def _require_leaf(leaf: x509.Certificate) -> None:
    extensions = leaf.extensions
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise UntrustedCertificate("the certificate is an authority's, expected a signer's")
    except x509.ExtensionNotFound:
        pass
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise UntrustedCertificate("the certificate does not say what its key is for") from error
    if not usage.digital_signature or usage.key_cert_sign:
        raise UntrustedCertificate("the certificate's key is not for digital signatures alone")
    if ExtendedKeyUsageOID.CODE_SIGNING not in extended:
        raise UntrustedCertificate("the certificate is not for signing code")


def _subject(name: x509.GeneralName) -> str:
    match name:
        case x509.UniformResourceIdentifier() | x509.RFC822Name():
            return name.value
        case x509.OtherName() if name.type_id == _USERNAME:
            return _utf8(name.value)
        case _:
            raise UntrustedCertificate(
                f"the certificate's subject is of the kind {type(name).__name__}, expected a URI, "
                "an e-mail address or a user name"
            )


def _issuer(value: x509.ExtensionType) -> str:
    if not isinstance(value, x509.UnrecognizedExtension):
        raise UntrustedCertificate("the certificate's issuer of identities cannot be read")
    # The first version of the extension holds bare text, the second a DER string.
    if value.oid == _ISSUER_V2:
        return _utf8(value.value)
    return _text(value.value)


def _utf8(der: bytes) -> str:
    """X.690: a UTF8String with a definite length of up to 65,535 bytes, in its shortest form."""
    if len(der) < 2 or der[0] != _UTF8_STRING:
        raise UntrustedCertificate("the certificate holds something other than text as a name")
    extra = {0x81: 1, 0x82: 2}.get(der[1], 0)
    length = int.from_bytes(der[2 : 2 + extra]) if extra else der[1]
    shortest = not extra or length >= (0x80, 0x100)[extra - 1]
    if not shortest or len(der) != 2 + extra + length:
        raise UntrustedCertificate("the certificate holds text of another length than it says")
    return _text(der[2 + extra :])


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UntrustedCertificate("the certificate holds text that is not UTF-8") from error
