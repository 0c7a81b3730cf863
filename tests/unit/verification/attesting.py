"""Makes attestations in both layouts, and predicates of the kinds that policies know."""

import json
from typing import Any

from tests.unit.verification import signing
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import Key, key
from tests.unit.verification.simulated_registry import OCI_MANIFEST

SLSA = "https://slsa.dev/provenance/v1"
SLSA_V02 = "https://slsa.dev/provenance/v0.2"
VULN = "https://cosign.sigstore.dev/attestation/vuln/v1"
CYCLONE_DX = "https://cyclonedx.org/bom"
SPDX = "https://spdx.dev/Document"
WORKFLOW = "https://actions.github.io/buildtypes/workflow/v1"
REPOSITORY = "https://github.com/shop/app"
COMMIT = "1f" * 20
BUILDER = "https://github.com/actions/runner/github-hosted"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"

BUILT_HERE = {
    "name": "built-here",
    "slsa": {"sourceRepository": REPOSITORY, "ref": "refs/heads/main", "builder": BUILDER},
}


def slsa(**changes: Any) -> dict[str, Any]:
    """SLSA provenance v1 as GitHub writes it; changes are those of the build definition."""
    return {
        "buildDefinition": {
            "buildType": WORKFLOW,
            "externalParameters": {
                "workflow": {
                    "repository": REPOSITORY,
                    "ref": "refs/heads/main",
                    "path": ".github/workflows/release.yml",
                }
            },
            "resolvedDependencies": [
                {"uri": f"git+{REPOSITORY}@refs/heads/main", "digest": {"gitCommit": COMMIT}}
            ],
            **changes,
        },
        "runDetails": {"builder": {"id": BUILDER}},
    }


def slsa_v02(uri: str = f"git+{REPOSITORY}@refs/heads/main", **changes: Any) -> dict[str, Any]:
    """SLSA provenance v0.2 as the generator for containers writes it."""
    return {
        "builder": {"id": BUILDER},
        "buildType": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
        "invocation": {
            "configSource": {"uri": uri, "digest": {"sha1": COMMIT}, "entryPoint": "release.yml"}
        },
        **changes,
    }


def statement(digest: str, predicate_type: str, predicate: Any, **changes: Any) -> bytes:
    """A statement of in-toto v1 as bytes to be signed."""
    said = {"predicateType": predicate_type, "predicate": predicate, **changes}
    return json.dumps(signing.statement(digest, **said)).encode()


def attest(
    scene: Scene,
    predicate_type: str,
    predicate: Any,
    *,
    signer: Key | None = None,
    hint: str | None = "",
    digest: str = "",
    payload: bytes | None = None,
    **changes: Any,
) -> str:
    """Attaches an attestation as cosign v3 does; returns the digest of its manifest."""
    if payload is None:
        payload = statement(digest or scene.digest, predicate_type, predicate, **changes)
    bundle = signing.bundle(signing.envelope(payload, signer or key()))
    return signing.attach_bundle(
        scene.registry,
        scene.digest,
        bundle,
        predicate_hint=predicate_type if hint == "" else hint,
    )


def envelope_layer(
    scene: Scene,
    predicate_type: str,
    predicate: Any,
    *,
    signer: Key | None = None,
    media_type: str = ENVELOPE,
    hint: str | None = "",
    **changes: Any,
) -> dict[str, Any]:
    """A layer as cosign v2 writes it for an attestation."""
    payload = statement(scene.digest, predicate_type, predicate, **changes)
    data = json.dumps(signing.envelope(payload, signer or key())).encode()
    hints = {"predicateType": predicate_type if hint == "" else hint}
    annotations = {"dev.cosignproject.cosign/signature": "", **(hints if hint is not None else {})}
    return {
        "mediaType": media_type,
        "digest": scene.registry.put_blob(data),
        "size": len(data),
        "annotations": annotations,
    }


def attach_layers(scene: Scene, *layers: dict[str, Any]) -> str:
    """Puts the layers where cosign v2 keeps attestations."""
    config = scene.registry.put_blob(b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config,
            "size": 2,
        },
        "layers": list(layers),
    }
    tag = f"{scene.digest.replace(':', '-')}.att"
    return scene.registry.put_manifest("team/app", manifest, tag=tag)
