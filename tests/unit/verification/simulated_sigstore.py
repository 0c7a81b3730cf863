"""A Sigstore of the tests' own: certificate authority, certificate log, both kinds of transparency
log and a timestamp authority. Each is honest unless a case says otherwise.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.unit.verification import der

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = T0 - timedelta(days=30)
YEAR = timedelta(days=365)
MINUTE = timedelta(minutes=1)
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SHA256 = "2.16.840.1.101.3.4.2.1"

EC = ec.EllipticCurvePrivateKey


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def spki(public: Any) -> bytes:
    made: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return made


def certificate_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def new_key() -> EC:
    return ec.generate_private_key(ec.SECP256R1())


def sign(key: EC, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def usage(*, signs: bool = False, issues: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=not signs and not issues,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class CA:
    """A root and an intermediate, which issues."""

    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING
    start: datetime = START
    end: datetime = T0 + YEAR
    # Of the intermediate alone.
    intermediate_end: datetime | None = None
    key: EC = field(default_factory=new_key)
    root_key: EC = field(default_factory=new_key)
    chain: list[x509.Certificate] = field(default_factory=list)

    def __post_init__(self) -> None:
        root = self._authority("root", "root", self.root_key, self.end)
        end = self.intermediate_end or self.end
        self.chain[:] = [self._authority("intermediate", "root", self.key, end), root]

    def _authority(self, name: str, issuer: str, key: EC, end: datetime) -> x509.Certificate:
        usages = [self.purpose]
        return (
            builder(key.public_key(), self.start, end, self.root_key.public_key())
            .subject_name(_name(name))
            .issuer_name(_name(issuer))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .add_extension(usage(issues=True), True)
            .add_extension(x509.ExtendedKeyUsage(usages), False)
            .sign(self.root_key, hashes.SHA256())
        )

    def issue(self, made: x509.CertificateBuilder) -> x509.Certificate:
        return made.issuer_name(_name("intermediate")).sign(self.key, hashes.SHA256())

    def wire(self, **changes: Any) -> dict[str, Any]:
        certificates = [{"rawBytes": b64(certificate_der(item))} for item in self.chain]
        return {
            "subject": {"organization": "tests", "commonName": "tests"},
            "uri": "https://ca.example",
            "certChain": {"certificates": certificates},
            "validFor": {"start": iso(self.start)},
            **changes,
        }


def builder(public: Any, start: datetime, end: datetime, signer: Any) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), False)
    )


def iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class CertificateLog:
    """Promises to publish certificates (RFC 6962, section 3)."""

    key: EC = field(default_factory=new_key)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(spki(self.key.public_key())).digest()

    def promise(self, precertificate: bytes, issuer: Any, time: datetime) -> bytes:
        stamp = int(time.timestamp() * 1000).to_bytes(8)
        entry = hashlib.sha256(spki(issuer)).digest()
        entry += len(precertificate).to_bytes(3) + precertificate
        signature = sign(self.key, b"\0\0" + stamp + b"\0\1" + entry + b"\0\0")
        return b"\0" + self.id + stamp + b"\0\0" + b"\4\3" + len(signature).to_bytes(2) + signature

    def wire(self, **changes: Any) -> dict[str, Any]:
        return log_wire("https://ct.example", self.key.public_key(), self.id, **changes)


def promises(*items: bytes) -> x509.UnrecognizedExtension:
    """The extension that holds signed certificate timestamps."""
    listed = b"".join(len(item).to_bytes(2) + item for item in items)
    return x509.UnrecognizedExtension(_SCT_LIST, der.octets(len(listed).to_bytes(2) + listed))


def log_wire(url: str, public: Any, log_id: bytes, **changes: Any) -> dict[str, Any]:
    kind = (
        "PKIX_ED25519"
        if isinstance(public, ed25519.Ed25519PublicKey)
        else "PKIX_ECDSA_P256_SHA_256"
    )
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": b64(spki(public)),
            "keyDetails": kind,
            "validFor": {"start": iso(START)},
        },
        "logId": {"keyId": b64(log_id)},
        **changes,
    }


def _leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


@dataclass(frozen=True)
class TransparencyLog:
    """A log that holds one other entry, then the one that is asked for."""

    origin: str
    key: EC | ed25519.Ed25519PrivateKey
    version: int

    @property
    def id(self) -> bytes:
        public = self.key.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            named = self.origin.encode() + b"\n\1" + public.public_bytes_raw()
            return hashlib.sha256(named).digest()
        return hashlib.sha256(spki(public)).digest()

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        return sign(self.key, data)

    def checkpoint(self, root: bytes, size: int = 2) -> str:
        # Version 1 names its tree beside its host; so it is told from version 2.
        tree = " - 7" if self.version == 1 else ""
        note = f"{self.origin}{tree}\n{size}\n{b64(root)}\n"
        signature = b64(self.id[:4] + self._sign(note.encode()))
        return f"{note}\n\u2014 {self.origin} {signature}\n"

    def promise(self, body: bytes, time: int, index: int) -> bytes:
        signed = {
            "body": b64(body),
            "integratedTime": time,
            "logID": self.id.hex(),
            "logIndex": index,
        }
        return self._sign(json.dumps(signed, separators=(",", ":"), sort_keys=True).encode())

    def entry(self, body: bytes, kind: str, time: datetime | None) -> dict[str, Any]:
        """As a bundle holds it; with a promise only from the log of version 1."""
        sibling = _leaf_hash(b"somebody else's entry")
        root = hashlib.sha256(b"\1" + sibling + _leaf_hash(body)).digest()
        name, version = kind.split("/")
        made: dict[str, Any] = {
            "logIndex": "1",
            "logId": {"keyId": b64(self.id)},
            "kindVersion": {"kind": name, "version": version},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": b64(root),
                "treeSize": "2",
                "hashes": [b64(sibling)],
                "checkpoint": {"envelope": self.checkpoint(root)},
            },
            "canonicalizedBody": b64(body),
        }
        if self.version == 1 and time is not None:
            seconds = int(time.timestamp())
            made["integratedTime"] = str(seconds)
            made["inclusionPromise"] = {"signedEntryTimestamp": b64(self.promise(body, seconds, 1))}
        return made

    def wire(self, **changes: Any) -> dict[str, Any]:
        return log_wire(f"https://{self.origin}", self.key.public_key(), self.id, **changes)


@dataclass(frozen=True)
class Clock:
    """A timestamp authority (RFC 3161)."""

    ca: CA = field(default_factory=lambda: CA(ExtendedKeyUsageOID.TIME_STAMPING))
    key: EC = field(default_factory=new_key)
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING
    certificates: list[x509.Certificate] = field(default_factory=list)

    def __post_init__(self) -> None:
        made = (
            builder(self.key.public_key(), self.ca.start, self.ca.end, self.ca.key.public_key())
            .subject_name(_name("clock"))
            .add_extension(usage(signs=True), True)
            .add_extension(x509.ExtendedKeyUsage([self.purpose]), True)
        )
        self.certificates[:] = [self.ca.issue(made), *self.ca.chain]

    def stamp(self, message: bytes, time: datetime, *, serial: int = 1, status: int = 0) -> bytes:
        imprint = der.sequence(der.algorithm(_SHA256), der.octets(hashlib.sha256(message).digest()))
        info = der.sequence(
            der.integer(1), der.oid("1.3.6.1.4.1.57264.2"), imprint, der.integer(serial),
            der.time(time),
        )  # fmt: skip
        return der.sequence(der.sequence(der.integer(status)), self._token(info))

    def _token(self, info: bytes) -> bytes:
        leaf = self.certificates[0]
        attributes = [
            _attribute("1.2.840.113549.1.9.3", der.oid("1.2.840.113549.1.9.16.1.4")),
            _attribute("1.2.840.113549.1.9.4", der.octets(hashlib.sha256(info).digest())),
        ]
        signature = sign(self.key, der.set_of(*attributes))
        signer = der.sequence(
            der.integer(1),
            der.sequence(leaf.issuer.public_bytes(), der.integer(leaf.serial_number)),
            der.algorithm(_SHA256),
            der.tlv(0xA0, *sorted(attributes)),
            der.algorithm("1.2.840.10045.4.3.2"),
            der.octets(signature),
        )
        content = der.sequence(
            der.oid("1.2.840.113549.1.9.16.1.4"), der.tlv(0xA0, der.octets(info))
        )
        signed = der.sequence(
            der.integer(3),
            der.set_of(der.algorithm(_SHA256)),
            content,
            der.tlv(0xA0, certificate_der(leaf)),
            der.set_of(signer),
        )
        return der.sequence(der.oid("1.2.840.113549.1.7.2"), der.tlv(0xA0, signed))

    def wire(self, **changes: Any) -> dict[str, Any]:
        certificates = [{"rawBytes": b64(certificate_der(item))} for item in self.certificates]
        return self.ca.wire(certChain={"certificates": certificates}, **changes)


def _attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.set_of(value))


@dataclass(frozen=True)
class Sigstore:
    """All of them, and the trust root that names them."""

    ca: CA = field(default_factory=CA)
    certificate_log: CertificateLog = field(default_factory=CertificateLog)
    log1: TransparencyLog = field(
        default_factory=lambda: TransparencyLog("log1.example", new_key(), 1)
    )
    log2: TransparencyLog = field(
        default_factory=lambda: TransparencyLog(
            "log2.example", ed25519.Ed25519PrivateKey.generate(), 2
        )
    )
    clock: Clock = field(default_factory=Clock)

    def root(self, **changes: Any) -> str:
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [self.log1.wire(), self.log2.wire()],
                "certificateAuthorities": [self.ca.wire()],
                "ctlogs": [self.certificate_log.wire()],
                "timestampAuthorities": [self.clock.wire()],
                **changes,
            }
        )


@cache
def trusted() -> Sigstore:
    """The one that policies of the tests trust; made once in a test run."""
    return Sigstore()


@cache
def foreign() -> Sigstore:
    """Another one, of the attacker."""
    return Sigstore()


class Impostor(TransparencyLog):
    """Says that it is the trusted log of its version."""

    @property
    def id(self) -> bytes:
        return trusted().log1.id if self.version == 1 else trusted().log2.id


def impostor(version: int) -> TransparencyLog:
    return Impostor(f"log{version}.example", new_key(), version)
