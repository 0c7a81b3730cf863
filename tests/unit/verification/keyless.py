"""Makes keyless signatures in both layouts; keywords change what a case needs changed."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from immutablerelease.api.policy import Policy
from immutablerelease.verification.trust import Trust
from tests.unit.verification import der, signing
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import Key
from tests.unit.verification.simulated_registry import SimulatedRegistry
from tests.unit.verification.simulated_sigstore import (
    CA,
    MINUTE,
    T0,
    CertificateLog,
    Clock,
    Sigstore,
    TransparencyLog,
    b64,
    builder,
    certificate_der,
    new_key,
    promises,
    spki,
    trusted,
    usage,
)

ISSUER = "https://issuer.example"
SUBJECT = "https://forge.example/team/app/.workflows/release@refs/heads/main"
BUNDLE_01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"
BUNDLE_02 = "application/vnd.dev.sigstore.bundle+json;version=0.2"
_ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")

Change = Callable[[Any], Any]
# Attaches something to the image; gives back the trust root to judge it by, if not the usual.
Attack = Callable[[Scene], str | None]
# The attack, the reason that it is refused for, and a part of what people are told.
Case = tuple[Attack, str, str]


def same(value: Any) -> Any:
    return value


def changed(path: str, value: Any) -> Callable[[Any], Any]:
    """A change of one member, `a.b.0.c`, of a document."""

    def change(document: Any) -> Any:
        target, (*way, last) = document, path.split(".")
        for name in way:
            target = target[int(name) if name.isdigit() else name]
        target[int(last) if last.isdigit() else last] = value
        return document

    return change


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda entry: {key: value for key, value in entry.items() if key != name}


@dataclass
class Keyless:
    """One signature with everything that proves it. Honest, unless fields say otherwise."""

    sigstore: Sigstore = field(default_factory=trusted)
    key: Key = field(default_factory=lambda: Key(new_key()))
    # What the certificate says.
    names: Sequence[x509.GeneralName] = (x509.UniformResourceIdentifier(SUBJECT),)
    issuers: Mapping[x509.ObjectIdentifier, bytes] = field(
        default_factory=lambda: {_ISSUER_V1: ISSUER.encode(), _ISSUER_V2: der.utf8(ISSUER)}
    )
    valid_from: datetime = T0
    valid_until: datetime = T0 + 10 * MINUTE
    purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CODE_SIGNING,)
    signs: bool = True
    ca: CA | None = None
    more: Sequence[x509.ExtensionType] = ()
    # Who promised to publish it, when.
    certificate_logs: Sequence[CertificateLog] | None = None
    promised_at: datetime = T0
    promise: Change = same
    # Which log took the signature in, when, and what it recorded.
    log: TransparencyLog | None = None
    kind: str | None = None
    logged_at: datetime | None = T0 + MINUTE
    body: Change = same
    entry: Change = same
    # Which clock stamped it.
    clock: Clock | None = None
    stamped_at: Sequence[datetime] | None = None
    stamped: Change = same
    stamp: Change = same
    certificate: x509.Certificate | None = None

    def __post_init__(self) -> None:
        self.log = self.log or self.sigstore.log2
        if self.stamped_at is None:
            self.stamped_at = [T0 + MINUTE] if self.log.version == 2 else []
        if self.certificate is None:
            self.certificate = self._issued()

    def _issued(self) -> x509.Certificate:
        ca = self.ca or self.sigstore.ca
        public = self.key.private.public_key()
        made = (
            builder(public, self.valid_from, self.valid_until, ca.key.public_key())
            .subject_name(x509.Name([]))
            .add_extension(usage(signs=self.signs), True)
            .add_extension(x509.ExtendedKeyUsage(list(self.purposes)), False)
        )
        if self.names:
            made = made.add_extension(x509.SubjectAlternativeName(list(self.names)), True)
        for oid, value in self.issuers.items():
            made = made.add_extension(x509.UnrecognizedExtension(oid, value), False)
        for extension in self.more:
            made = made.add_extension(extension, True)
        logs = self.certificate_logs
        if logs is None:
            logs = [self.sigstore.certificate_log]
        if not logs:
            return ca.issue(made)
        precertificate = ca.issue(made).tbs_certificate_bytes
        items = [
            self.promise(log.promise(precertificate, ca.key.public_key(), self.promised_at))
            for log in logs
        ]
        return ca.issue(made.add_extension(promises(*items), False))

    @property
    def pem(self) -> bytes:
        assert self.certificate is not None
        return self.certificate.public_bytes(Encoding.PEM)

    # The two layouts.

    def bundle(
        self,
        payload: Mapping[str, Any] | bytes,
        *,
        media_type: str = signing.BUNDLE,
        **changes: Any,
    ) -> dict[str, Any]:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        content = signing.envelope(data, self.key)
        signature = base64.b64decode(content["signatures"][0]["sig"])
        assert self.certificate is not None
        raw = {"rawBytes": b64(certificate_der(self.certificate))}
        named = "certificate" if media_type == signing.BUNDLE else "x509CertificateChain"
        material: dict[str, Any] = {
            named: raw if named == "certificate" else {"certificates": [raw]},
            "tlogEntries": self.entries(data, signature),
            "timestampVerificationData": {
                "rfc3161Timestamps": [
                    {"signedTimestamp": b64(item)} for item in self.stamps(signature)
                ]
            },
        }
        return {
            "mediaType": media_type,
            "verificationMaterial": {**material, **changes},
            "dsseEnvelope": content,
        }

    def layer(
        self, registry: SimulatedRegistry, payload: Mapping[str, Any] | bytes, **annotations: Any
    ) -> dict[str, Any]:
        """As cosign v2 attaches it, with the log's promise."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        signature = self.key.sign(data)
        made = {
            "dev.cosignproject.cosign/signature": b64(signature),
            "dev.sigstore.cosign/certificate": self.pem.decode(),
            "dev.sigstore.cosign/bundle": json.dumps(self.annotation(data, signature)),
            **annotations,
        }
        if self.stamped_at:
            (stamp,) = self.stamps(signature)
            made.setdefault(
                "dev.sigstore.cosign/rfc3161timestamp",
                json.dumps({"SignedRFC3161Timestamp": b64(stamp)}),
            )
        return {
            "mediaType": signing.SIMPLE,
            "digest": registry.put_blob(data),
            "size": len(data),
            "annotations": {name: value for name, value in made.items() if value is not None},
        }

    def annotation(self, payload: bytes, signature: bytes) -> dict[str, Any]:
        body = canonical(self.body(hashedrekord1(payload, signature, self.pem)))
        made: dict[str, Any] = self.entry(self.promised(body))
        return made

    def promised(self, body: bytes) -> dict[str, Any]:
        """The entry of the log of version 1, with its promise alone."""
        log = self.sigstore.log1
        assert self.logged_at is not None
        seconds = int(self.logged_at.timestamp())
        return {
            "SignedEntryTimestamp": b64(log.promise(body, seconds, 7)),
            "Payload": {
                "body": b64(body),
                "integratedTime": seconds,
                "logIndex": 7,
                "logID": log.id.hex(),
            },
        }

    def entries(self, payload: bytes, signature: bytes) -> list[dict[str, Any]]:
        assert self.log is not None
        kind = self.kind or ("dsse/0.0.1" if self.log.version == 1 else "hashedrekord/0.0.2")
        body = self.body(recorded(kind, payload, signature, self.pem))
        data = body if isinstance(body, bytes) else canonical(body)
        made = self.entry(self.log.entry(data, kind, self.logged_at))
        return made if isinstance(made, list) else [made]

    def stamps(self, signature: bytes) -> list[bytes]:
        clock = self.clock or self.sigstore.clock
        return [
            self.stamp(clock.stamp(self.stamped(signature), time, serial=number))
            for number, time in enumerate(self.stamped_at or [])
        ]


def canonical(document: Any) -> bytes:
    """As logs write what they record (RFC 8785)."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def hashedrekord1(data: bytes, signature: bytes, pem: bytes) -> dict[str, Any]:
    hashed = {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}
    return {
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": hashed},
            "signature": {"content": b64(signature), "publicKey": {"content": b64(pem)}},
        },
    }


def hashedrekord2(data: bytes, signature: bytes, verifier: dict[str, Any]) -> dict[str, Any]:
    record = {
        "data": {"algorithm": "SHA2_256", "digest": b64(hashlib.sha256(data).digest())},
        "signature": {"content": b64(signature), "verifier": verifier},
    }
    return {
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {"hashedRekordV002": record},
    }


def recorded(kind: str, payload: bytes, signature: bytes, pem: bytes) -> dict[str, Any]:
    """What a log records of an envelope."""
    hashed = {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}
    if kind == "hashedrekord/0.0.2":
        der_bytes = certificate_der(x509.load_pem_x509_certificate(pem))
        verifier = {
            "x509Certificate": {"rawBytes": b64(der_bytes)},
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        }
        signed = signing.pae("application/vnd.in-toto+json", payload)
        return hashedrekord2(signed, signature, verifier)
    if kind == "hashedrekord/0.0.1":
        return hashedrekord1(signing.pae("application/vnd.in-toto+json", payload), signature, pem)
    spec: dict[str, Any] = {
        "payloadHash": hashed,
        "envelopeHash": hashed,
        "signatures": [{"signature": b64(signature), "verifier": b64(pem)}],
    }
    if kind.startswith("intoto/"):
        twice = b64(b64(signature).encode())
        envelope = {
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": twice, "publicKey": b64(pem)}],
        }
        spec = {"content": {"envelope": envelope, "hash": hashed, "payloadHash": hashed}}
    name, version = kind.split("/")
    return {"apiVersion": version, "kind": name, "spec": spec}


def intoto1(envelope: bytes, pem: bytes) -> dict[str, Any]:
    """The kind of entry that records no signature, but the hash of an envelope's text."""
    hashed = {"algorithm": "sha256", "value": hashlib.sha256(envelope).hexdigest()}
    return {
        "apiVersion": "0.0.1",
        "kind": "intoto",
        "spec": {"content": {"hash": hashed}, "publicKey": b64(pem)},
    }


def keyed_bundle(
    digest: str,
    signer: Key | None = None,
    *,
    logged: Key | None = None,
    kind: str = "hashedrekord/0.0.2",
    body: Change = same,
    log: TransparencyLog | None = None,
) -> dict[str, Any]:
    """A bundle signed with a key, in a log; `logged` is the key that the entry records."""
    signer = signer or signing.key()
    made = signing.bundle_for(digest, signer)
    payload = base64.b64decode(made["dsseEnvelope"]["payload"])
    signature = base64.b64decode(made["dsseEnvelope"]["signatures"][0]["sig"])
    recording = logged or signer
    if kind == "hashedrekord/0.0.2":
        log = log or trusted().log2
        verifier = {"publicKey": {"rawBytes": b64(spki(recording.private.public_key()))}}
        signed = signing.pae("application/vnd.in-toto+json", payload)
        document = hashedrekord2(signed, signature, verifier)
    else:
        log = log or trusted().log1
        document = recorded(kind, payload, signature, recording.pem.encode())
    entry = log.entry(canonical(body(document)), kind, None)
    made["verificationMaterial"]["tlogEntries"] = [entry]
    return made


# Policies.

ROOT = ("sigstore", "trusted_root.json")


def trust(root: str | None = None) -> Trust:
    """What the ConfigMap of the trust root holds."""
    return Trust(config_maps={ROOT: trusted().root() if root is None else root})


def authority(name: str = "release", **changes: Any) -> dict[str, Any]:
    """A keyless authority; `identities` and whatever else an authority has."""
    identities = changes.pop("identities", [{"issuer": ISSUER, "subject": SUBJECT}])
    return {
        "name": name,
        "keyless": {"identities": identities},
        "trustRoot": {"configMapRef": {"name": ROOT[0], "key": ROOT[1]}},
        **changes,
    }


def logged_key(key: Key | None = None) -> dict[str, Any]:
    """An authority whose signatures by a key must be in a log."""
    made = authority(key={"pem": (key or signing.key()).pem}, transparencyLog="Required")
    del made["keyless"]
    return made


def policy(
    registry: SimulatedRegistry, *authorities: dict[str, Any], name: str = "trust", **spec: Any
) -> Policy:
    return Policy.read(
        {
            "metadata": {"name": name},
            "spec": {
                "authorities": list(authorities) or [authority()],
                "registries": {"insecure": [registry.host]},
                **spec,
            },
        }
    )


def attach(
    scene: Scene, made: Keyless, payload: Any = None, root: str | None = None, **changes: Any
) -> str | None:
    """Attaches the signature as a bundle; gives back the trust root to judge it by."""
    statement = signing.statement(scene.digest) if payload is None else payload
    content = made.bundle(statement, **changes)
    media_type = content["mediaType"]
    scene.bundle(content, artifactType=media_type, layer_type=media_type)
    return root


def attach_simple(
    scene: Scene, made: Keyless, payload: Any = None, root: str | None = None, **annotations: Any
) -> str | None:
    """Attaches the signature as simple signing does; gives back the trust root to judge it by."""
    signed = signing.simple_payload(scene.digest) if payload is None else payload
    layer = made.layer(scene.registry, signed, **annotations)
    signing.attach_simple(scene.registry, scene.digest, layer)
    return root
