"""Evidence as sentences: who signed what, how that is known, and since when."""

from collections.abc import Sequence
from datetime import UTC

from immutablerelease.api.revision import ContainerEvidence, Source

# What an Event may hold: events.k8s.io/v1, `note`.
LONGEST_NOTE = 1024
_MORE = "; more in the status of the revision"
# Names may be longer than a sentence carries; the status has them in full.
_LONGEST_NAME = 160


def sentence(item: ContainerEvidence) -> str:
    """Who signed, or attested, the image of one container."""
    place = "image volume" if item.volume else "container"
    did = f"attested as {item.predicate_type}" if item.predicate_type else "signed"
    return f"{place} {item.container} {did} by {item.authority}: {proof(item)}"


def proof(item: ContainerEvidence) -> str:
    """The identity or the key, the place in the log and the time, as far as there are any."""
    who = f"key {item.signer}"
    if item.identity is not None:
        who = f"{_short(item.identity)}, vouched for by {_short(item.issuer or 'nobody')}"
    parts = [who]
    if item.log_index is not None:
        parts.append(f"log entry {item.log_index}")
    if item.signed_at is not None:
        parts.append(f"at {item.signed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
    return ", ".join(parts)


def origin(source: Source) -> str:
    """What was built."""
    return f"built from {_short(source.repository)} at {source.commit}"


def note(subject: str, evidence: Sequence[ContainerEvidence]) -> str:
    """All of it after the subject, or as many whole sentences as an Event holds, in bytes."""
    text = subject
    for number, item in enumerate(evidence):
        longer = f"{text}{': ' if number == 0 else '; '}{sentence(item)}"
        reserve = len(_MORE) if number + 1 < len(evidence) else 0
        if len(longer.encode()) + reserve > LONGEST_NOTE:
            return f"{text}{_MORE}"
        text = longer
    return text


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
