"""The real cosign signs, this verifies: both layouts, with and without the referrers API.

Runs where the cosign of the development tools is built, and is skipped elsewhere.
"""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import Key, key

_TOOLS = Path("~/.cache/immutable-release-operator/tools").expanduser()
_FOUND = sorted(_TOOLS.glob("cosign-v3*/cosign"))

pytestmark = pytest.mark.skipif(not _FOUND, reason="no cosign among the development tools")

_LAYOUTS = {
    "Bundle": ["--signing-config", "sc.json"],
    "SimpleSigning": [
        "--new-bundle-format=false",
        "--use-signing-config=false",
        "--tlog-upload=false",
    ],
}


@dataclass
class Cosign:
    """The real one, in a folder of its own, with a key named `k`."""

    home: Path

    async def run(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(_FOUND[-1]),
            *arguments,
            cwd=self.home,
            env={
                "HOME": str(self.home),
                "PATH": os.environ["PATH"],
                "COSIGN_PASSWORD": "",
                # It asks a public mirror for roots first: a proxy that is not there ends that.
                "HTTPS_PROXY": "http://127.0.0.1:9",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), timeout=60)
        assert process.returncode == 0, output.decode()
        return output.decode()

    async def use(self, signer: Key) -> None:
        pem = signer.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.home / "plain.key").write_bytes(pem)
        await self.run("import-key-pair", "--key", "plain.key", "--output-key-prefix", "k")
        await self.run("signing-config", "create", "--out", "sc.json")

    async def sign(self, layout: str, image: str, *more: str) -> str:
        flags = ["--yes", "--key", "k.key", "--allow-http-registry", *_LAYOUTS[layout]]
        return await self.run("sign", *flags, *more, image)


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    return Cosign(tmp_path)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa", "ed25519"])
async def test_what_the_real_cosign_signs_verifies(scene: Scene, cosign: Cosign, kind: str) -> None:
    signer = key("alice", kind)
    await cosign.use(signer)
    assert (await scene.verify(scene.trust(signer))).reason == "Unsigned"

    for layout in _LAYOUTS:
        await cosign.sign(layout, scene.image)
        verdict = await scene.verify(scene.trust(signer, formats=[layout]))
        assert verdict.verdict == "Verified", verdict.message
        assert [item.format for item in verdict.evidence] == [layout]
        stranger = scene.trust(key("mallory", kind), formats=[layout])
        assert (await scene.verify(stranger)).reason == "WrongKey"


async def test_it_verifies_where_the_registry_has_no_referrers_api(
    scene: Scene, cosign: Cosign
) -> None:
    scene.registry.lies.referrers_api = False
    await cosign.use(key())
    await cosign.sign("Bundle", scene.image)
    assert (await scene.verify()).verdict == "Verified"


async def test_an_attestation_of_the_real_cosign_is_no_signature(
    scene: Scene, cosign: Cosign
) -> None:
    await cosign.use(key())
    (cosign.home / "predicate.json").write_text(json.dumps({"scanner": {"result": "bad"}}))
    flags = ["--yes", "--key", "k.key", "--allow-http-registry", "--signing-config", "sc.json"]
    predicate = ["--predicate", "predicate.json", "--type", "https://scans.example/v1"]

    await cosign.run("attest", *flags, *predicate, scene.image)

    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")
    assert "1 attestations" in verdict.message


async def test_the_real_cosign_accepts_what_the_tests_sign(scene: Scene, cosign: Cosign) -> None:
    scene.bundle()
    await cosign.use(key())
    flags = ["--key", "k.pub", "--allow-http-registry", "--insecure-ignore-tlog"]
    await cosign.run("verify", *flags, scene.image)
