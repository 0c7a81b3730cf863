"""The Event of a verified revision says who signed what, in sentences, and fits."""

from datetime import UTC, datetime
from typing import Any

import pytest

from immutablerelease.api.revision import ContainerEvidence, RevisionPhase, Source
from immutablerelease.core.evidence import LONGEST_NOTE, note
from immutablerelease.core.snapshot import VerdictView

from .builders import NOW, POLICIES, plan
from .test_candidate import scene

FINGERPRINT = f"sha256:{'ab' * 32}"
SLSA = "https://slsa.dev/provenance/v1"
BY_NAME: dict[str, Any] = {
    "identity": "ci@shop.example",
    "issuer": "https://login.example",
    "log_index": 7,
    "signed_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
}


def evidence(container: str = "web", **changes: Any) -> ContainerEvidence:
    """The team's key signed."""
    return ContainerEvidence.model_validate(
        {
            "container": container,
            "image": f"registry.test/app@{FINGERPRINT}",
            "policy": "production",
            "authority": "team",
            "signer": FINGERPRINT,
            "format": "Bundle",
            "signature": FINGERPRINT,
            **changes,
        }
    )


def verdict(*items: ContainerEvidence, reason: str = "Signed", **more: Any) -> VerdictView:
    return VerdictView("Verified", reason, "the message", POLICIES, NOW, items, **more)


def told(view: VerdictView) -> str:
    """The Event of a revision that got the verdict."""
    before = scene(RevisionPhase.PENDING, verdict=None, more={"verdicts": {"new": view}})
    (message,) = (event.message for event in plan(before).events if event.reason == "Verified")
    return message


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (
            verdict(evidence()),
            f"new: container web signed by team: key {FINGERPRINT}",
        ),
        (
            verdict(evidence(**BY_NAME)),
            "new: container web signed by team: ci@shop.example, vouched for by "
            "https://login.example, log entry 7, at 2026-01-02 03:04:05 UTC",
        ),
        (
            verdict(
                evidence(predicate_type=SLSA),
                source=Source(repository="https://forge.example/app", commit="c0ffee", builder="b"),
            ),
            "new, built from https://forge.example/app at c0ffee: container web attested as "
            f"{SLSA} by team: key {FINGERPRINT}",
        ),
        (
            verdict(evidence("web"), evidence("data", volume=True)),
            f"new: container web signed by team: key {FINGERPRINT}; "
            f"image volume data signed by team: key {FINGERPRINT}",
        ),
        (verdict(reason="UnsignedAllowed"), "new: the message"),
        (verdict(evidence(), reason="NotEnforced"), "new: the message"),
    ],
    ids=[
        "a key",
        "an identity, in a log",
        "provenance",
        "a container and an image volume",
        "nobody had to sign",
        "a policy that only audits",
    ],
)
def test_it_says_who_signed(view: VerdictView, message: str) -> None:
    assert told(view) == message


@pytest.mark.parametrize("letter", ["a", "ä", "\N{CLAPPING HANDS SIGN}"])
@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_it_fits_and_ends_with_a_whole_sentence(letter: str, count: int) -> None:
    items = [evidence(f"c{number}", **BY_NAME, policy="p") for number in range(count)]
    items += [evidence("last", identity=letter * 512, issuer=letter * 512)]
    text = note("shop-0123456789", items)
    assert len(text.encode()) <= LONGEST_NOTE
    assert text.endswith(("; more in the status of the revision", "..."))
    assert "container c0 signed by team" in text
