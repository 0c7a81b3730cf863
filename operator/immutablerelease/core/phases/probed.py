"""Which Pods fail a probe, and when may more of them count as failing?"""

from collections.abc import Sequence
from datetime import timedelta

from .. import signals
from ..draft import Draft
from ..snapshot import PodView

# An attempt takes its time; it is looked for a moment after it was due.
_LATER = timedelta(milliseconds=200)


def failures(draft: Draft, name: str, pods: Sequence[PodView]) -> dict[str, str]:
    """Pods of a revision that fail a probe, by uid, with the message; `WHOLE` for all of it.

    A Pod that failed before it was ready needs more attempts. No event tells of those, since the
    verdict on the probe stays the same: so they are waited for.
    """
    probes, states = draft.probes(name), draft.snapshot.probes.get(name, {})
    for time in signals.counts_from(pods, probes, states):
        draft.wake(max(time, draft.now) + _LATER)
    return signals.probe_failures(pods, probes, states)
