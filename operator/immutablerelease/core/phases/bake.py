"""Has what serves been healthy long enough to count as good?"""

from immutablerelease.api.conditions import Status

from ..draft import Draft
from ..plan import EventType


def bake(draft: Draft) -> None:
    """Mark the active revision good once it was active and healthy for `health.bake`."""
    name = draft.active
    if name is None or draft.revisions[name].good_since is not None:
        return
    healthy = draft.condition_since(name, "Healthy", Status.TRUE)
    active = draft.revisions[name].active_since
    if healthy is None or active is None:
        return
    if draft.elapsed(max(healthy, active), draft.spec.health.bake):
        draft.change(name, good_since=draft.now, message="serves; counts as good")
        draft.tell(EventType.NORMAL, "Good", f"{name} counts as good from now", name)
