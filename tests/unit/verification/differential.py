"""The same artefacts, judged by the operator and by the real cosign, which sees no network.

    python -m tests.unit.verification.differential

judges every attack, writes `build/differential.md` and fails if the two disagree about anything
that is not explained here. `test_differential` judges only what is, and what the document says.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.unit.verification import (
    keyless,
    test_attacks_on_entries,
    test_attacks_on_identity,
    test_attacks_on_logs,
    test_attacks_on_simple_signing,
    test_attacks_on_time,
    test_attacks_on_trust,
)
from tests.unit.verification.keyless import ISSUER, SUBJECT, Attack, Case, Keyless
from tests.unit.verification.scene import Scene, set_up
from tests.unit.verification.simulated_sigstore import trusted

_TOOLS = Path("~/.cache/immutable-release-operator/tools").expanduser()
COSIGN = max(_TOOLS.glob("cosign-v3*/cosign"), default=None)
_TABLE = Path(__file__).parents[3] / "build" / "differential.md"

HONEST: dict[str, Attack] = {
    "an honest bundle in a log of version 1": lambda scene: keyless.attach(
        scene, Keyless(log=trusted().log1)
    ),
    "an honest bundle in a log of version 2": lambda scene: keyless.attach(scene, Keyless()),
    "an honest simple signature": lambda scene: keyless.attach_simple(
        scene, Keyless(stamped_at=[])
    ),
}
_CASES: Mapping[str, Mapping[str, Case]] = {
    "certificates": test_attacks_on_identity.ON_CERTIFICATES,
    "promises to publish": test_attacks_on_identity.ON_PROMISES,
    "names": test_attacks_on_identity.ON_NAMES,
    "logs": test_attacks_on_logs.ON_LOGS,
    "entries": test_attacks_on_entries.ON_ENTRIES,
    "time": test_attacks_on_time.ON_TIME,
    "simple signing": test_attacks_on_simple_signing.ON_SIMPLE_SIGNING,
    "statements": test_attacks_on_trust.ON_STATEMENTS,
}
ATTACKS: Mapping[str, Attack] = {
    f"{table}: {name}": attack
    for table, cases in _CASES.items()
    for name, (attack, _, _) in cases.items()
}


# What cosign verifies and the operator refuses: why, for `docs/verification.md`. There is nothing
# that the operator verifies and cosign refuses.
DISAGREEMENTS: Mapping[str, str] = {
    "certificates: the certificate of an authority": (
        "cosign lets the certificate that signs be an authority's own; a leaf of Fulcio never is."
    ),
    "certificates: a key that is not for signatures": (
        "cosign does not read the key usage of the leaf."
    ),
    "promises to publish: two promises, one of them a stranger's": (
        "One good promise is enough for cosign; Fulcio embeds exactly one, and so is it here."
    ),
    "names: two subjects, one of them trusted": (
        "cosign is content if any subject matches; a certificate that names two people names "
        "nobody."
    ),
    "names: two issuers that differ": (
        "cosign prefers the newer of the two extensions; here both must say the same."
    ),
    "logs: a proof for a place outside the tree": (
        "For version 2 of the log cosign takes the place from the entry and does not read the "
        "one in the proof."
    ),
    "logs: a place below zero": "The same: the place in the proof is not read.",
    "logs: a place that is no text": "Protobuf also reads numbers; every signer writes text.",
    "logs: a log of version 2 that was retired before": (
        "cosign compares the time that a log is trusted for with the log's own time, which "
        "version 2 does not tell; here the timestamp counts for that."
    ),
    "entries: an entry intoto/0.0.2 with another content.envelope.payloadType "
    "(another payload type)": (
        "cosign compares the hash of the payload, the signature and the certificate, but not "
        "the type; it is signed, so nothing follows from that."
    ),
    "time: a timestamp out of time beside a promise in time": (
        "One time within the certificate's is enough for cosign; here all trusted times must be."
    ),
    "time: two timestamps, one of them out of time": "The same with two timestamps.",
    "simple signing: a timestamp of a clock that nobody trusts": (
        "cosign does not look at timestamps beside a promise unless it is told to; here what is "
        "there must hold."
    ),
    "simple signing: a timestamp of something else": "The same.",
    "simple signing: a payload that calls itself something else": (
        "cosign does not read the type of the payload."
    ),
    "statements: an attestation in place of a signature": (
        "cosign does not read the type of the predicate, so that a scan which failed passes for "
        "a signature."
    ),
}


@dataclass(frozen=True)
class Judgement:
    """What both make of one image."""

    ours: bool
    reason: str
    cosign: bool
    said: str

    @property
    def agree(self) -> bool:
        return self.ours == self.cosign


async def judge(attack: Attack) -> Judgement:
    """Attach what the attack attaches, and ask both."""
    async with set_up() as scene:
        root = attack(scene)
        verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
        code, said = await _cosign(scene, root or trusted().root())
    return Judgement(verdict.verdict == "Verified", verdict.reason, code == 0, said)


async def _cosign(scene: Scene, root: str) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "root.json").write_text(root)
        process = await asyncio.create_subprocess_exec(
            str(COSIGN),
            "verify",
            *("--trusted-root", "root.json", "--allow-http-registry"),
            *("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", ISSUER),
            scene.image,
            cwd=home,
            env={"HOME": home, "PATH": os.environ["PATH"], "HTTPS_PROXY": "http://127.0.0.1:9"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await asyncio.wait_for(process.communicate(), timeout=60)
    lines = [line for line in errors.decode().splitlines() if line.startswith("Error: ")]
    return process.returncode or 0, lines[0].removeprefix("Error: ") if lines else ""


async def _main() -> int:
    if COSIGN is None:
        print("no cosign among the development tools", file=sys.stderr)
        return 1
    rows = ["| case | operator | cosign | agree |", "|---|---|---|---|"]
    found = {name: await judge(attack) for name, attack in {**HONEST, **ATTACKS}.items()}
    for name, item in found.items():
        said = "verified" if item.cosign else item.said[-160:].replace("|", "/")
        rows.append(f"| {name} | {item.reason} | {said} | {'yes' if item.agree else '**no**'} |")
    _TABLE.parent.mkdir(exist_ok=True)
    _TABLE.write_text("\n".join(rows) + "\n")
    disagreements = {name for name, item in found.items() if not item.agree}
    print(f"{len(found)} cases, {len(disagreements)} disagreements: {_TABLE}")
    for name in sorted(disagreements ^ DISAGREEMENTS.keys()):
        print(f"not as explained: {name}", file=sys.stderr)
    return 0 if disagreements == DISAGREEMENTS.keys() else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
