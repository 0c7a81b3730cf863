"""Which jobs of probes are to run? Each once for an attempt, where its revision stands."""

from immutablerelease.api.revision import RevisionPhase

from ..draft import Draft
from ..plan import RunJob
from ..probing import WHOLE
from .demand import size

# Its Pods are ready, so that the job finds them.
_READY = frozenset({RevisionPhase.TESTING, RevisionPhase.ACTIVE})


def run_jobs(draft: Draft) -> None:
    """Start what is asked of the candidate and of what serves and was not started yet."""
    if draft.spec.paused or draft.moved or draft.snapshot.conflicts:
        return
    for name in {draft.active, draft.candidate} - {None}:
        if name is not None and _ready(draft, name):
            _run(draft, name)


def _ready(draft: Draft, name: str) -> bool:
    if draft.revisions[name].phase not in _READY or not draft.trusted(name):
        return False
    return name == draft.active or len(draft.serving(name)) >= size(draft, name)


def _run(draft: Draft, name: str) -> None:
    made = {job.name for job in draft.revision(name).spec.jobs}
    known = draft.snapshot.probes.get(name, {}).get(WHOLE, {})
    for probe in draft.probes(name):
        # One that the revision has no template for came with a spec that changed nothing else.
        if probe.job is not None and probe.name in made and probe.name not in known:
            draft.do_later(RunJob(name, probe.recorded, draft.revisions[name].attempt))
