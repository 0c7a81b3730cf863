"""Makes keys, images and signatures in both layouts; keywords change what a case needs changed."""

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from immutablerelease.api.policy import Policy
from tests.unit.verification.simulated_registry import (
    OCI_MANIFEST,
    SimulatedRegistry,
)

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Key:
    """A signing key of a test."""

    private: PrivateKey
    hash: hashes.HashAlgorithm | None = None

    @property
    def pem(self) -> str:
        public = self.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, data: bytes) -> bytes:
        match self.private:
            case ed25519.Ed25519PrivateKey() as private:
                return private.sign(data)
            case rsa.RSAPrivateKey() as private:
                return private.sign(data, padding.PKCS1v15(), hashes.SHA256())
            case private:
                return private.sign(data, ec.ECDSA(self.hash or hashes.SHA256()))


@cache
def key(name: str = "alice", kind: str = "p256") -> Key:
    """The key of that name; made once in a test run."""
    match kind:
        case "p384":
            return Key(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
        case "p521":
            return Key(ec.generate_private_key(ec.SECP521R1()), hashes.SHA512())
        case "rsa":
            return Key(rsa.generate_private_key(65537, 2048))
        case "ed25519":
            return Key(ed25519.Ed25519PrivateKey.generate())
        case _:
            return Key(ec.generate_private_key(ec.SECP256R1()))


def policy(
    *keys: Key,
    name: str = "trust",
    registry: SimulatedRegistry | None = None,
    registries: dict[str, Any] | None = None,
    **spec: Any,
) -> Policy:
    """A policy that trusts the keys, named key-0, key-1, ..."""
    hosts = {"insecure": [registry.host]} if registry else {}
    return Policy.read(
        {
            "metadata": {"name": name},
            "spec": {
                "authorities": [
                    {"name": f"key-{number}", "key": {"pem": item.pem}}
                    for number, item in enumerate(keys)
                ],
                "registries": {**hosts, **(registries or {})},
                **spec,
            },
        }
    )


def push_image(registry: SimulatedRegistry, *, repo: str = "team/app", tag: str = "1.0") -> str:
    """An image; returns its digest."""
    config = registry.put_blob(b'{"architecture":"amd64","os":"linux"}')
    layer = registry.put_blob(f"layer of {repo}:{tag}".encode())
    return registry.put_manifest(
        repo,
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config, 37),
            "layers": [
                _descriptor(
                    "application/vnd.oci.image.layer.v1.tar",
                    layer,
                    len(registry.blobs[layer]),
                )
            ],
        },
        tag=tag,
    )


def _descriptor(media_type: str, digest: str, size: int, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size, **more}


def pae(payload_type: str, payload: bytes) -> bytes:
    kind = payload_type.encode()
    return b" ".join(
        [b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload]
    )


def statement(digest: str, **changes: Any) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}, "annotations": {}}],
        "predicateType": SIGN,
        "predicate": {},
        **changes,
    }


def envelope(
    payload: bytes, signer: Key, *, payload_type: str = "application/vnd.in-toto+json"
) -> dict[str, Any]:
    signature = signer.sign(pae(payload_type, payload))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }


def bundle(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": "a hint"}},
        "dsseEnvelope": content,
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def bundle_for(digest: str, signer: Key, **statement_changes: Any) -> dict[str, Any]:
    payload = json.dumps(statement(digest, **statement_changes)).encode()
    return bundle(envelope(payload, signer))


def attach_bundle(
    registry: SimulatedRegistry,
    digest: str,
    content: dict[str, Any] | bytes,
    *,
    repo: str = "team/app",
    layer_type: str = BUNDLE,
    layer_changes: dict[str, Any] | None = None,
    layer_count: int = 1,
    predicate_hint: str | None = SIGN,
    **manifest_changes: Any,
) -> str:
    """Attaches the bundle as cosign v3 does; returns the digest of its manifest."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    layer = {**_descriptor(layer_type, registry.put_blob(data), len(data)), **(layer_changes or {})}
    empty = registry.put_blob(b"{}")
    hint = {"dev.sigstore.bundle.predicateType": predicate_hint} if predicate_hint else {}
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": BUNDLE,
        "config": _descriptor("application/vnd.oci.empty.v1+json", empty, 2),
        "layers": [layer] * layer_count,
        "subject": _descriptor(OCI_MANIFEST, digest, 1),
        "annotations": {"dev.sigstore.bundle.content": "dsse-envelope", **hint},
        **manifest_changes,
    }
    listed_under = manifest["subject"]["digest"] if manifest["subject"] else None
    made = registry.put_manifest(repo, manifest)
    if listed_under != digest:
        size = len(registry.manifests[repo, made][0])
        registry.refer(repo, digest, _descriptor(OCI_MANIFEST, made, size, artifactType=BUNDLE))
    return made


def simple_payload(digest: str, **critical: Any) -> dict[str, Any]:
    return {
        "critical": {
            "identity": {"docker-reference": "registry.example/team/app"},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
            **critical,
        },
        "optional": None,
    }


def simple_layer(
    registry: SimulatedRegistry,
    payload: dict[str, Any] | bytes,
    signer: Key,
    *,
    signature: str | None = None,
    media_type: str = SIMPLE,
) -> dict[str, Any]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    made = base64.b64encode(signer.sign(data)).decode() if signature is None else signature
    return _descriptor(
        media_type,
        registry.put_blob(data),
        len(data),
        annotations={"dev.cosignproject.cosign/signature": made},
    )


def attach_simple(
    registry: SimulatedRegistry,
    digest: str,
    *layers: dict[str, Any],
    repo: str = "team/app",
) -> str:
    """Puts the layers where cosign v2 does; returns the digest of the signature manifest."""
    config = registry.put_blob(b"{}")
    return registry.put_manifest(
        repo,
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config, 2),
            "layers": list(layers),
        },
        tag=f"{digest.replace(':', '-')}.sig",
    )
