"""`kubectl immutable verify` on what real services signed, with no cluster and no service left."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from immutablerelease.cli.main import main
from tests.sigstore.authorities import CONFIG_MAP, Keyless
from tests.sigstore.cosign import TRUST_ROOT
from tests.sigstore.signing import ALICE, BUILDER, COMMIT, REPOSITORY
from tests.sigstore.world import World

PROVENANCE = [{"name": "provenance", "slsa": {"sourceRepository": REPOSITORY, "builder": BUILDER}}]


def _written(folder: Path, world: World, authority: Keyless, image: str, **spec: Any) -> Path:
    """The policy, and the trust root that it refers to, in one file."""
    policy = {
        "apiVersion": "immutablerelease.io/v1alpha1",
        "kind": "ReleasePolicy",
        "metadata": {"name": "trust"},
        "spec": {
            "authorities": [authority.wire()],
            "registries": {"insecure": [world.images[image].registry.host]},
            **spec,
        },
    }
    root = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP},
        "data": {TRUST_ROOT: world.roots[TRUST_ROOT]},
    }
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump_all([policy, root]), encoding="utf-8")
    return path


def _answer(capsys: pytest.CaptureFixture[str], image: str, path: Path) -> tuple[int, Any]:
    code = main(["verify", image, "--policy", str(path), "-o", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_an_identity_and_its_provenance_are_shown(
    world: World, alice: Keyless, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _written(tmp_path, world, alice, "attested", attestations=PROVENANCE)
    code, answer = _answer(capsys, str(world.images["attested"]), path)
    assert (code, answer["verdict"], answer["reason"]) == (0, "Verified", "Signed")
    assert (answer["source"]["repository"], answer["source"]["commit"]) == (REPOSITORY, COMMIT)
    signature, attestation = answer["evidence"]
    for evidence in (signature, attestation):
        assert (evidence["identity"], evidence["issuer"]) == (ALICE, world.issuers[0])
        assert evidence["logIndex"] >= 0
    assert "predicateType" not in signature
    assert attestation["predicateType"] == "https://slsa.dev/provenance/v1"


def test_somebody_else_is_refused(
    world: World, alice: Keyless, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _written(tmp_path, world, alice, "mallory")
    code, answer = _answer(capsys, str(world.images["mallory"]), path)
    assert (code, answer["reason"]) == (1, "WrongIdentity")
    assert "mallory@shop.example" in answer["message"]
