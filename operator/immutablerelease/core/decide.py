"""From what was observed to what is to be done: one pure function, one list of questions."""

from collections.abc import Callable
from datetime import datetime

from immutablerelease.api.probe import Probe
from immutablerelease.api.revision import RevisionPhase

from .draft import Draft
from .phases.bake import bake
from .phases.candidate import advance
from .phases.demand import desired
from .phases.guard import guard
from .phases.hands import carry_out
from .phases.history import collect
from .phases.jobs import run_jobs
from .phases.moving_back import continue_revert
from .phases.protect import protect
from .phases.report import changed_statuses, report
from .phases.reverified import reverify
from .phases.route import adopt, restore
from .phases.scale import scale
from .phases.sharing import reroute, retreat, withdraw
from .phases.specified import identify, settle_for_active
from .phases.verified import verify
from .plan import Plan
from .snapshot import Snapshot

# The guard comes before anything that could take long or go wrong: a revert waits for nothing.
# What somebody did to the route is undone last: any move of traffic undoes it too.
PHASES: tuple[Callable[[Draft], None], ...] = (
    adopt,
    guard,
    retreat,
    continue_revert,
    reroute,
    identify,
    carry_out,
    verify,
    reverify,
    advance,
    withdraw,
    restore,
    run_jobs,
    bake,
    scale,
    collect,
    protect,
    report,
)


# What is left to do for a release that somebody's finalizer keeps after it was deleted: it serves
# until it is gone, and so it is guarded; its spec is nobody's wish any more.
WHILE_HELD: tuple[Callable[[Draft], None], ...] = (
    adopt,
    guard,
    continue_revert,
    settle_for_active,
    withdraw,
    restore,
    scale,
    report,
)


def decide(snapshot: Snapshot, now: datetime) -> Plan:
    """The plan for one release. Never fails for what it observes; never looks at a clock."""
    metadata = snapshot.release.metadata
    if metadata.going:
        return Plan()
    draft = Draft(snapshot, now)
    for phase in WHILE_HELD if metadata.deleting else PHASES:
        phase(draft)
    return draft.plan(changed_statuses(draft), _probed(draft))


def _probed(draft: Draft) -> dict[str, tuple[Probe, ...]]:
    """Revisions to probe: what serves, what may take over, and the candidate once it is started."""
    return {
        name: draft.probes(name)
        for name, status in draft.revisions.items()
        if status.phase is not RevisionPhase.FAILED
        and draft.probes(name)
        and draft.pods(name)
        and desired(draft, name) > 0
    }
