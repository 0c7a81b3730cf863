"""Log entries that must not count: forged, borrowed, or of a log that is not trusted."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.verification import keyless
from tests.unit.verification.keyless import (
    BUNDLE_01,
    Attack,
    Case,
    Keyless,
    attach,
    changed,
    without,
)
from tests.unit.verification.scene import Scene
from tests.unit.verification.simulated_sigstore import (
    MINUTE,
    T0,
    b64,
    foreign,
    impostor,
    iso,
    trusted,
)


def _v1(**changes: Any) -> Attack:
    return lambda scene: attach(scene, Keyless(log=trusted().log1, **changes))


def _v2(**changes: Any) -> Attack:
    return lambda scene: attach(scene, Keyless(**changes))


def _proof(member: str, value: Any) -> Attack:
    return _v2(entry=changed(f"inclusionProof.{member}", value))


def _checkpoint(change: Callable[[str], str]) -> Attack:
    def changed(entry: dict[str, Any]) -> dict[str, Any]:
        checkpoint = entry["inclusionProof"]["checkpoint"]
        checkpoint["envelope"] = change(checkpoint["envelope"])
        return entry

    return _v2(entry=changed)


def _retired(version: int) -> Attack:
    def attack(scene: Scene) -> str | None:
        log = (trusted().log1 if version == 1 else trusted().log2).wire()
        log["publicKey"]["validFor"]["end"] = iso(T0)
        root = trusted().root(tlogs=[log])
        made = Keyless(log=trusted().log1) if version == 1 else Keyless()
        return attach(scene, made, root=root)

    return attack


ON_LOGS: dict[str, Case] = {
    "no entry of a log": (
        lambda s: attach(s, Keyless(), tlogEntries=[]),
        "NotLogged",
        "0 log entries",
    ),
    "two entries": (_v2(entry=lambda made: [made, made]), "NotLogged", "2 log entries"),
    "nine entries": (_v2(entry=lambda made: [made] * 9), "MalformedSignature", "at most 8"),
    "an entry of a log that nobody trusts": (
        _v2(log=foreign().log2),
        "NotLogged",
        "does not name",
    ),
    "a promise of a log that nobody trusts": (
        _v1(entry=changed("logId.keyId", b64(foreign().log1.id))),
        "NotLogged",
        "does not name",
    ),
    "a promise in the name of the trusted log": (
        lambda s: attach(s, Keyless(log=impostor(1))),
        "NotLogged",
        "promise of the log https://log1.example does not hold",
    ),
    "a checkpoint in the name of the trusted log": (
        lambda s: attach(s, Keyless(log=impostor(2))),
        "NotLogged",
        "checkpoint of the log https://log2.example does not hold",
    ),
    "an entry of one trusted log in the name of the other": (
        _v2(entry=changed("logId.keyId", b64(trusted().log1.id))),
        "NotLogged",
        "checkpoint of the log https://log1.example does not hold",
    ),
    "a promise for another time": (
        _v1(entry=changed("integratedTime", str(int((T0 + 2 * MINUTE).timestamp())))),
        "NotLogged",
        "promise of the log",
    ),
    "a promise for another place in the log": (
        _v1(entry=changed("logIndex", "5")),
        "NotLogged",
        "promise of the log",
    ),
    "a promise without the time that it is about": (
        _v1(entry=without("integratedTime")),
        "MalformedSignature",
        "without the time",
    ),
    "a proof for another entry": (
        _v2(entry=changed("canonicalizedBody", b64(b"{}"))),
        "NotLogged",
        "not in the tree",
    ),
    "a proof with another hash": (
        _proof("hashes.0", b64(hashlib.sha256(b"x").digest())),
        "NotLogged",
        "not in the tree",
    ),
    "a proof with a hash too many": (
        _proof("hashes", [b64(b"x" * 32)] * 2),
        "NotLogged",
        "wrong size",
    ),
    "a proof with a thousand hashes": (
        _proof("hashes", [b64(b"x" * 32)] * 1000),
        "MalformedSignature",
        "at most 64 hashes",
    ),
    "a proof for a larger tree than the checkpoint's": (
        _checkpoint(lambda text: trusted().log2.checkpoint(_root_of(text), size=3)),
        "NotLogged",
        "for a tree of 2 entries",
    ),
    "a proof for a place outside the tree": (
        _proof("logIndex", "2"),
        "MalformedSignature",
        "index 2 in a tree of 2",
    ),
    "a place below zero": (_proof("logIndex", "-1"), "MalformedSignature", "natural number"),
    "a place beyond 63 bits": (
        _v2(entry=changed("logIndex", str(2**63))),
        "MalformedSignature",
        "more than 63 bits",
    ),
    "a place that is no text": (
        _v2(entry=changed("logIndex", 1)),
        "MalformedSignature",
        "natural number",
    ),
    "a checkpoint of another tree": (
        _checkpoint(lambda text: trusted().log2.checkpoint(b"y" * 32)),
        "NotLogged",
        "checkpoint of the log",
    ),
    "a checkpoint that nobody signed": (
        _checkpoint(lambda text: text.split("\n\n")[0] + "\n\n"),
        "NotLogged",
        "checkpoint of the log",
    ),
    "a checkpoint with a second text": (
        _checkpoint(lambda text: f"{text}\n\n{text}"),
        "NotLogged",
        "checkpoint of the log",
    ),
    "no checkpoint": (
        _v2(entry=lambda made: changed("inclusionProof", _no_checkpoint(made))(made)),
        "MalformedSignature",
        "checkpoint",
    ),
    "no proof where a promise is not enough": (
        _v1(entry=without("inclusionProof")),
        "MalformedSignature",
        "without an inclusion proof",
    ),
    "no promise in the oldest bundle": (
        lambda s: attach(
            s,
            Keyless(log=trusted().log1, entry=without("inclusionPromise")),
            media_type=BUNDLE_01,
        ),
        "MalformedSignature",
        "without the log's promise",
    ),
    "a log of version 1 that was retired before": (
        _retired(1),
        "NotLogged",
        "not trusted for 2026-03-01T12:01:00Z",
    ),
    "a log of version 2 that was retired before": (
        _retired(2),
        "NotLogged",
        "not trusted for 2026-03-01T12:01:00Z",
    ),
}


def _root_of(checkpoint: str) -> bytes:
    return base64.b64decode(checkpoint.split("\n")[2])


def _no_checkpoint(entry: dict[str, Any]) -> dict[str, Any]:
    proof: dict[str, Any] = without("checkpoint")(entry["inclusionProof"])
    return proof


@pytest.mark.parametrize(("attack", "reason", "told"), ON_LOGS.values(), ids=ON_LOGS)
async def test_a_log_entry_is_refused_for(
    scene: Scene, attack: Attack, reason: str, told: str
) -> None:
    root = attack(scene)
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert told in verdict.message
