"""Has what serves been healthy long enough to count as good?"""

from immutablerelease.api.conditions import Status

from ..draft import Draft
from ..plan import EventType
from ..signals import Verdict


def bake(draft: Draft) -> None:
    """Mark the active revision good once it was active and healthy for `health.bake`.

    It must be healthy at this moment too: the condition outlives a restart, the evidence does not.
    """
    name = draft.active
    if name is None or draft.revisions[name].good_since is not None or draft.moved:
        return
    healthy = draft.condition_since(name, "Healthy", Status.TRUE)
    active = draft.revisions[name].active_since
    if healthy is None or active is None:
        return
    if not draft.elapsed(max(healthy, active), draft.spec.health.bake):
        return
    if draft.health is not None and draft.health.verdict is Verdict.HEALTHY:
        draft.change(name, good_since=draft.now, message="serves; counts as good")
        draft.tell(EventType.NORMAL, "Good", f"{name} counts as good from now", name)
