"""What is kept? The newest revisions up to the limit, and all that is or may soon be needed.

Of answered ReleaseActions the newest are kept, and every one with a name of somebody's choice: a
file in Git may hold it, and whoever applies that file again would have it carried out again.
"""

from immutablerelease.api.revision import RevisionPhase

from ..draft import IN_FLIGHT, Draft
from ..plan import DeleteAction, DeleteFrozen, DeleteRevision
from . import target as targets
from .demand import drains

# Answered actions of one release that are kept.
ANSWERED_KEPT = 20


def collect(draft: Draft) -> None:
    """Plan the removal of revisions beyond the limit, and of frozen copies that none names.

    While it is not known which revision the spec stands for, nothing is removed: it may be any.
    """
    _collect_answered(draft)
    if draft.wanted is None:
        return
    kept = _kept(draft)
    # First, since the revisions are what the copies are known by.
    _collect_frozen(draft, kept)
    for name in draft.snapshot.revisions:
        if name not in kept:
            draft.do_later(DeleteRevision(name))
            del draft.revisions[name]


def _collect_answered(draft: Draft) -> None:
    for action in draft.snapshot.answered[:-ANSWERED_KEPT]:
        if action.metadata.generated and not action.metadata.deleting:
            draft.do_later(DeleteAction(action.metadata.name))


def _kept(draft: Draft) -> set[str]:
    needed = {draft.leaving, draft.wanted, targets.known_good(draft, draft.active)}
    if draft.status.revert:
        needed.add(draft.status.revert.target)
    kept = {
        name
        for name, status in draft.revisions.items()
        if name in needed or _occupied(draft, name) or status.phase in IN_FLIGHT
    }
    rest = sorted(
        draft.revisions.keys() - kept,
        key=lambda name: draft.revision(name).spec.number,
        reverse=True,
    )
    return kept | set(rest[: draft.spec.history_limit])


def _occupied(draft: Draft, name: str) -> bool:
    """Whether it still has Pods, or should have, or is named by a route: it is not history yet."""
    deployment = draft.deployment(name)
    if (deployment is not None and deployment.replicas > 0) or drains(draft, name):
        return True
    return draft.revisions[name].phase is RevisionPhase.SUPERSEDED


def _collect_frozen(draft: Draft, kept: set[str]) -> None:
    named = {
        f"{config.kind}/{config.name}"
        for name in kept
        for config in draft.revision(name).spec.config
    }
    for copy in sorted(draft.snapshot.frozen - named):
        kind, name = copy.split("/", 1)
        draft.do_later(DeleteFrozen(kind, name))
