"""Writes the seed corpus: for each target a few honest inputs, from the tests' own signers.

    python -m tests.fuzz.seeds

Keys are made anew and thrown away, so all seeds change together with the policy that trusts them.
"""

import base64
import json
import shutil
from typing import Any

from cryptography import x509

from tests.fuzz.targets import DIGEST, POLICY, ROOT_PLACE, SEEDS, SEPARATOR, TRUST_ROOT
from tests.unit.verification import attesting, keyless, signing
from tests.unit.verification.simulated_registry import OCI_INDEX, OCI_MANIFEST, SimulatedRegistry
from tests.unit.verification.simulated_sigstore import certificate_der

Seeds = dict[str, list[bytes]]


def main() -> None:
    """Write them all."""
    shutil.rmtree(SEEDS, ignore_errors=True)
    made = keyless.Keyless()
    for name, seeds in {**_documents(), **_texts(), **_signed(made), **_parts(made)}.items():
        folder = SEEDS / name
        folder.mkdir(parents=True)
        for number, seed in enumerate(seeds):
            (folder / str(number)).write_bytes(seed)
    policy = {
        "metadata": {"name": "seeds"},
        "spec": {
            "authorities": [
                {"name": "key", "key": {"pem": signing.key().pem}},
                keyless.authority("release"),
            ]
        },
    }
    POLICY.write_text(json.dumps(policy, indent=1) + "\n")
    root = keyless.trust().config_maps[ROOT_PLACE]
    TRUST_ROOT.write_text(json.dumps(json.loads(root), indent=1) + "\n")


def _documents() -> Seeds:
    descriptor = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 7}
    config = {**descriptor, "mediaType": "application/vnd.oci.empty.v1+json"}
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": signing.BUNDLE,
        "config": config,
        "layers": [{**descriptor, "mediaType": signing.BUNDLE, "annotations": {"a": "b"}}],
        "subject": descriptor,
    }
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{**descriptor, "artifactType": signing.BUNDLE, "annotations": {"a": "b"}}],
    }
    statement = signing.statement(DIGEST)
    several = {**statement, "subject": [{"name": "x", "digest": {"sha512": "ab"}}] * 2}
    return {
        "json": [
            _json({"a": [1, 1.5, None, True, "\u00e9"], "b": {"c": -(2**63)}}),
            b"[]",
            b"\xff",
        ],
        "manifest": [_json(manifest)],
        "index": [_json(index), _json({**index, "manifests": None})],
        "image": [_json(index), _json(manifest)],
        "platforms": [_json(index)],
        "token": [_json({"token": "abc", "expires_in": 300}), _json({"access_token": "abc"})],
        "statement": [_json(statement)],
        "simple-payload": [_json(signing.simple_payload(DIGEST))],
        "attestation": [
            _json({**statement, "_type": "https://in-toto.io/Statement/v0.1"}),
            _json(several),
        ],
        "slsa-v1": [_json(attesting.slsa())],
        "slsa-v0.2": [
            _json(attesting.slsa_v02()),
            _json(attesting.slsa_v02("https://github.com/shop/app.git#refs/tags/v1:dir")),
        ],
        "sbom": [_json({"bomFormat": "CycloneDX"}), _json({"spdxVersion": "SPDX-2.3"})],
    }


def _texts() -> Seeds:
    return {
        "reference": [
            b"registry.example:5000/team/app:1.0@" + DIGEST.encode(),
            b"[2001:db8::1]:443/app",
            b"nginx",
        ],
        "challenge": [
            b'Bearer realm="https://registry.example/token",service="s",scope="repository:x:pull"',
            b'Basic realm="x\\"y", Bearer realm=abc',
        ],
    }


def _signed(made: keyless.Keyless) -> Seeds:
    payload = _json(signing.statement(DIGEST))
    simple = _json(signing.simple_payload(DIGEST))
    registry = SimulatedRegistry()
    bundles = [
        _json(signing.bundle_for(DIGEST, signing.key())),
        _json(keyless.keyed_bundle(DIGEST)),
        _json(made.bundle(payload)),
    ]
    certified = made.layer(registry, simple)["annotations"]
    by_key = signing.simple_layer(registry, simple, signing.key())["annotations"]
    envelope = _json(signing.envelope(payload, signing.key()))
    return {
        "bundle": bundles,
        "signed-bundle": bundles,
        "signed-simple": [_layer(certified, simple), _layer(by_key, simple)],
        "signed-envelope": [_layer({"predicateType": signing.SIGN}, envelope)],
    }


def _parts(made: keyless.Keyless) -> Seeds:
    simple = _json(signing.simple_payload(DIGEST))
    signature = made.key.sign(simple)
    (entry,) = made.entries(simple, signature)
    certificate = made.certificate
    assert isinstance(certificate, x509.Certificate)
    return {
        "certificate": [certificate_der(certificate)],
        "chain": [certificate_der(certificate)],
        "pem": [made.pem],
        "timestamp": made.stamps(signature),
        "log-promise": [_json(made.annotation(simple, signature))],
        "log-body": [base64.b64decode(entry["canonicalizedBody"])],
    }


def _layer(annotations: dict[str, str], content: bytes) -> bytes:
    return _json(annotations) + SEPARATOR + content


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


if __name__ == "__main__":
    main()
