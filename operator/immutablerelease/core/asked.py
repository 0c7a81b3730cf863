"""Which probes is a revision asked where it stands? Before it gets traffic, with it, and after."""

from collections.abc import Iterable
from enum import StrEnum

from immutablerelease.api.probe import Probe, Scope, When


class Stage(StrEnum):
    """Where a revision stands, as far as probes are concerned."""

    # On its way, and without traffic.
    CANDIDATE = "Candidate"
    # Traffic goes there, be it a part of it.
    SERVING = "Serving"
    # Without traffic, and ready to take it back.
    STANDBY = "Standby"


def asked(probes: Iterable[Probe], stage: Stage, against: str | None) -> tuple[Probe, ...]:
    """The probes that concern a revision at a stage; `against` is what it is compared with."""
    return tuple(probe for probe in probes if _concerns(probe, stage, against))


def _concerns(probe: Probe, stage: Stage, against: str | None) -> bool:
    if probe.job is not None:
        before = probe.job.when is When.BEFORE_PROMOTION
        return stage is Stage.CANDIDATE if before else stage is Stage.SERVING and against is None
    if stage is Stage.STANDBY:
        # Nothing is measured of what has no traffic; that must not stand in the way back.
        return not probe.whole and probe.scope is not Scope.CANDIDATE
    if probe.scope is not Scope.ALWAYS and probe.scope != stage.value:
        return False
    prometheus = probe.prometheus
    return prometheus is None or prometheus.threshold is not None or against is not None
