"""What may a drain of nodes take? Each revision that runs has a budget as the release asks for it.

A budget that cannot be written holds nothing up: it is the last that is done.
"""

from immutablerelease.api.release import Workload

from ..draft import Draft
from ..plan import KeepBudget
from .demand import desired


def protect(draft: Draft) -> None:
    """Plan the budgets that are missing or say something else.

    A drain passes over the Pods of a DaemonSet, and no budget can count them.
    """
    if draft.spec.workload is not Workload.DEPLOYMENT:
        return
    wanted = draft.spec.disruption.max_unavailable
    for name in draft.revisions:
        found = draft.snapshot.budgets.get(name)
        if found != wanted and draft.verified(name) and desired(draft, name) > 0:
            draft.do_later(KeepBudget(name, wanted))
