"""What users change in a spec, and what vandals change behind the operator's back."""

from collections.abc import Callable, Mapping
from typing import Any

from immutablerelease.api.release import Guard, OnFailure
from immutablerelease.api.strategy import Promotion

from .cluster import Cluster
from .stage import BAKE, PAUSES, STEPS, release_spec


def _guard(on_failure: OnFailure) -> Callable[[Cluster], None]:
    return lambda cluster: cluster.change(guard=Guard(on_failure=on_failure))


def _strategy(**how: Any) -> Callable[[Cluster], None]:
    """Another way for the traffic to move; what cannot be copied without a router is not."""

    def change(cluster: Cluster) -> None:
        cluster.change(strategy=release_spec(**how).strategy)

    return change


def _health(**fields: object) -> Callable[[Cluster], None]:
    return lambda cluster: cluster.change(health=cluster.spec.health.model_copy(update=fields))


def _set(**fields: object) -> Callable[[Cluster], None]:
    return lambda cluster: cluster.change(**fields)


CHANGES: Mapping[str, Callable[[Cluster], None]] = {
    "apply the same again": Cluster.reapply,
    "scale to none": _set(replicas=0),
    "scale to one": _set(replicas=1),
    "scale to four": _set(replicas=4),
    "pause": _set(paused=True),
    "resume": _set(paused=False),
    "only alert": _guard(OnFailure.ALERT),
    "revert": _guard(OnFailure.REVERT),
    "keep nothing warm": _set(keep_warm=0.0),
    "keep warm": _set(keep_warm=30.0),
    "move at once": _strategy(),
    "move at once by hand": _strategy(promotion=Promotion.MANUAL, preview=1),
    "move in steps": _strategy(steps=STEPS),
    "move in steps by hand": _strategy(steps=PAUSES),
    "move in one small step": _strategy(steps=({"weight": 5, "pause": True},)),
    "count as good at once": _health(bake=0.0),
    "count as good later": _health(bake=BAKE),
    "remember nothing": _set(history_limit=0),
}


def _replicas(replicas: int) -> Callable[[Cluster, str | None], None]:
    def tamper(cluster: Cluster, revision: str | None) -> None:
        if revision and cluster.find("Deployment", revision):
            cluster.tamper_replicas(revision, replicas)

    return tamper


def _template(cluster: Cluster, revision: str | None) -> None:
    if revision and cluster.find("Deployment", revision):
        cluster.tamper_template(revision)


def _record(cluster: Cluster, revision: str | None) -> None:
    """Forge a record; one that names what was tested would be a wish like any other."""
    if revision is None:
        return
    status = cluster.status(revision)
    if status.tested_at is None and status.active_since is None:
        cluster.tamper_record(revision)


TAMPERING: Mapping[str, Callable[[Cluster, str | None], None]] = {
    "point the Service at a version": Cluster.tamper_selector,
    "point the Service at nothing": lambda cluster, _: cluster.tamper_selector(None),
    "forge the record": _record,
    "change the ports": lambda cluster, _: cluster.tamper_ports(),
    "change the weights": Cluster.tamper_weights,
    "send requests to nothing": lambda cluster, _: cluster.tamper_weights(None),
    "scale a Deployment to none": _replicas(0),
    "scale a Deployment up": _replicas(3),
    "change a template": _template,
}
