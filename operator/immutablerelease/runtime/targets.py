"""Whom the probes of a release ask: each Pod by its address, and each revision as a whole."""

from collections.abc import Mapping

from immutablerelease.core import terms
from immutablerelease.core.plan import Plan
from immutablerelease.core.probing import WHOLE
from immutablerelease.core.snapshot import Snapshot
from immutablerelease.health.prober import Target
from immutablerelease.health.prometheus import Names

from .key import Key


def targets(key: Key, plan: Plan, snapshot: Snapshot) -> Mapping[str, list[Target]]:
    """By revision that is to be probed."""
    return {name: [*_pods(snapshot, name), _whole(key, name, plan)] for name in plan.probe}


def _pods(snapshot: Snapshot, revision: str) -> list[Target]:
    return [
        Target(pod.uid, pod.ip, probe_ports(snapshot, revision))
        for pod in snapshot.pods.get(revision, ())
        if pod.ip is not None and not pod.deleting
    ]


def _whole(key: Key, revision: str, plan: Plan) -> Target:
    compared = any(
        probe.prometheus is not None and probe.prometheus.compare is not None
        for probe in plan.probe[revision]
    )
    # Where nothing is compared, another revision that serves is no other question.
    against = plan.against if compared and plan.against != revision else None
    return Target(WHOLE, names=Names(key.namespace, key.name, revision, against))


def probe_ports(snapshot: Snapshot, revision: str) -> dict[str, int]:
    """Port numbers by name: those of the Service, and those that containers name themselves.

    What a name means is said by the revision whose Pods are asked, as it is for the Service: a port
    that moved with the present spec must not make the way back look unhealthy.
    """
    named: dict[str, int] = {}
    spec = snapshot.revisions[revision].spec.template.get("spec") or {}
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            if "name" in port:
                named[port["name"]] = port["containerPort"]
    for port in terms.ports(snapshot, revision):
        target = port.target_port
        number = named.get(target) if isinstance(target, str) else target
        if number is not None:
            named[port.name] = number
    return named
