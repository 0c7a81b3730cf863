"""What the real cosign attests, in both layouts, is what policies want. See test_cosign.py."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from immutablerelease.verification.transport import Limits
from tests.unit.verification import attesting
from tests.unit.verification.scene import Scene, set_up
from tests.unit.verification.signing import key
from tests.unit.verification.test_cosign import _LAYOUTS, Cosign
from tests.unit.verification.test_cosign import pytestmark as pytestmark

WHAT: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "provenance v1": ("slsaprovenance1", attesting.slsa(), {"slsa": attesting.BUILT_HERE["slsa"]}),
    "provenance v0.2": (
        "slsaprovenance02",
        attesting.slsa_v02(),
        {"slsa": attesting.BUILT_HERE["slsa"]},
    ),
    "an SBOM in CycloneDX": (
        "cyclonedx",
        {"bomFormat": "CycloneDX", "specVersion": "1.6"},
        {"sbom": "CycloneDX"},
    ),
    "an SBOM in SPDX": ("spdxjson", {"spdxVersion": "SPDX-2.3"}, {"sbom": "SPDX"}),
    "a scan": (
        "vuln",
        {"scanner": {"uri": "pkg:scanner", "result": {"findings": []}}},
        {
            "predicateType": attesting.VULN,
            "rules": [
                {
                    "expression": "predicate.scanner.result.findings.size() == 0",
                    "message": "no findings",
                }
            ],
        },
    ),
}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Processes are started: on a busy machine that takes its time."""
    async with set_up(Limits(image_seconds=40.0)) as made:
        yield made


@pytest.fixture
async def cosign(tmp_path: Path) -> Cosign:
    made = Cosign(tmp_path)
    await made.use(key())
    return made


async def _attest(scene: Scene, cosign: Cosign, layout: str, what: str) -> None:
    kind, predicate, _ = WHAT[what]
    (cosign.home / f"{kind}.json").write_text(json.dumps(predicate))
    flags = ["--yes", "--key", "k.key", "--allow-http-registry", *_LAYOUTS[layout]]
    content = ["--predicate", f"{kind}.json", "--type", kind]
    await cosign.run("attest", *flags, *content, scene.image)


async def _require(scene: Scene, format_: str, *what: str) -> None:
    wanted = [
        {"name": f"wanted-{number}", **WHAT[name][2], "formats": [format_]}
        for number, name in enumerate(what)
    ]
    verdict = await scene.verify(scene.trust(attestations=wanted, signature="Ignored"))
    assert verdict.verdict == "Verified", verdict.message
    assert [item.format for item in verdict.evidence] == [format_] * len(what)
    stranger = scene.trust(key("mallory"), attestations=wanted, signature="Ignored")
    assert (await scene.verify(stranger)).reason == "WrongKey"


async def test_what_cosign_attests_in_bundles_is_found(scene: Scene, cosign: Cosign) -> None:
    await asyncio.gather(*(_attest(scene, cosign, "Bundle", name) for name in WHAT))
    await _require(scene, "Bundle", *WHAT)


async def test_what_cosign_attests_at_the_tag_is_found(scene: Scene, cosign: Cosign) -> None:
    # One after the other: each adds a layer to what is there.
    for name in ("provenance v0.2", "a scan"):
        await _attest(scene, cosign, "SimpleSigning", name)
    await _require(scene, "Envelope", "provenance v0.2", "a scan")


async def test_the_real_cosign_accepts_what_the_tests_attest(scene: Scene, cosign: Cosign) -> None:
    attesting.attest(scene, attesting.SLSA, attesting.slsa())
    flags = ["--key", "k.pub", "--allow-http-registry", "--insecure-ignore-tlog"]
    await cosign.run("verify-attestation", *flags, "--type", "slsaprovenance1", scene.image)
