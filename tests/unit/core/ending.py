"""How a run must end once nothing goes wrong any more: settled, serving what it should, tidy."""

from immutablerelease.api.release import OnFailure
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.core.snapshot import EVERY

from .cluster import Cluster
from .invariants import REFUSED, require
from .objects import NAME, routed
from .simulator import Faults, Operator
from .stage import manual, pausing

# Longer than any wait of the release that `stage` makes.
QUIET = 75
LONGEST = 1500


def heal(cluster: Cluster, operator: Operator) -> None:
    """End all faults of the machinery; applications stay as good or bad as they are."""
    operator.faults = Faults()
    cluster.registry_up = True
    cluster.unreachable = set()
    cluster.reverify_every = None
    cluster.dependency_down_since = None
    cluster.endpoints_stuck = False
    cluster.edge.heal()
    operator.resync()


def settle(cluster: Cluster, operator: Operator) -> None:
    """Let time pass until nothing is written any more, and look at what is left."""
    quiet = 0
    for _ in range(LONGEST):
        writes = operator.writes
        cluster.tick()
        operator.tick()
        require(8, operator.unproductive < 3, f"goes round in circles: {operator.plan.intents}")
        quiet = quiet + 1 if operator.writes == writes else 0
        if quiet >= QUIET:
            break
    require(5, quiet >= QUIET, f"does not settle: {operator.plan.intents}")
    judge(cluster, operator)


def judge(cluster: Cluster, operator: Operator) -> None:
    """The end is the right one."""
    _answered(cluster)
    _wanted(cluster)
    _serving(cluster)
    _trusted(cluster)
    _tidy(cluster)
    _follows(cluster)


def _follows(cluster: Cluster) -> None:
    """Router and Service go by one record, and what drained is left out."""
    route, service, name = cluster.http_route, cluster.service, active(cluster)
    if name is None or not cluster.serving(name):
        return
    if not routed(cluster.spec):
        require(5, route is None, "an HTTPRoute is left that nobody asks for")
        require(5, not cluster.edge.programmed(), "requests are sent by an HTTPRoute that is gone")
        return
    if service is None or service.record is None or name != service.record.revision:
        return
    require(5, route is not None, "there is no HTTPRoute")
    if route is not None:
        require(5, route.record == service.record, "HTTPRoute and Service have two records")
        require(5, not route.leads, "the weights are somebody else's")
        require(5, cluster.edge.routes == route.record, "requests are sent by something else")
        require(8, route.drained or route.record.previous is None, "what drained is still named")


def well(cluster: Cluster, revision: str) -> bool:
    """Whether a revision can really serve."""
    deployment = cluster.find("Deployment", revision)
    intact = deployment is None or deployment.body.template == revision
    return cluster.behaviour(revision).healthy and intact


def warm_target(cluster: Cluster) -> str | None:
    """Where a revert would go this moment, if it can take all the traffic at once."""
    name = active(cluster)
    if name is None or cluster.selected != name or cluster.dependency_down_since is not None:
        return None
    revert = cluster.get("Release", NAME).body.status.revert
    if cluster.spec.guard.on_failure is not OnFailure.REVERT or revert is not None:
        return None
    target = _known_good(cluster, name)
    if target is None or not well(cluster, target):
        return None
    whole = len(cluster.serving(target)) >= cluster.spec.replicas > 0
    return target if whole else None


def active(cluster: Cluster) -> str | None:
    """The revision whose status says that it serves."""
    serving = [
        name for name in cluster.revisions() if cluster.status(name).phase is RevisionPhase.ACTIVE
    ]
    require(5, len(serving) <= 1, f"several serve: {serving}")
    return serving[0] if serving else None


def _answered(cluster: Cluster) -> None:
    for action in cluster.all("Action"):
        status = action.body.status
        require(5, status.completed_at is not None, f"{action.body.spec.action}: {status.message}")


def _wanted(cluster: Cluster) -> None:
    """What the spec wants serves, or something says why not."""
    spec = cluster.spec
    source = cluster.get("Release", NAME).body.status.source
    if spec.paused:
        return
    require(5, source is not None, "the spec was never resolved")
    wanted = source.revision
    image = spec.template["spec"]["containers"][0]["image"]
    require(5, cluster.find("Revision", wanted) is not None, f"{wanted} is not recorded")
    require(5, image.endswith(cluster.version_of(wanted)), f"{wanted} is not what is wanted")
    phase = cluster.status(wanted).phase

    status = cluster.status(wanted)
    waits = (manual(spec) and status.tested_at is not None) or (
        pausing(spec) and status.step_at is not None
    )
    ended = phase in (*REFUSED, RevisionPhase.ACTIVE)
    require(5, ended or waits, f"{wanted} stays {phase}: {cluster.status(wanted).message}")


def _serving(cluster: Cluster) -> None:
    """What serves is healthy, or there is nothing better; the Service points there."""
    name = active(cluster)
    if name is None:
        return
    service = cluster.service
    if cluster.serving(name):
        record = service.record if service else None
        shared = record is not None and record.weight > 0
        named = EVERY if shared and not routed(cluster.spec) else name
        require(5, cluster.selected == named, f"{name} serves, {cluster.selected} is selected")
    spec = cluster.spec
    watched = spec.health.probes or not cluster.serving(name)
    guarded = spec.guard.on_failure is OnFailure.REVERT and spec.replicas > 0 and watched
    if well(cluster, name) or not guarded:
        return
    better = _known_good(cluster, name)
    require(3, better is None or not well(cluster, better), f"{name} fails and {better} is well")


def _trusted(cluster: Cluster) -> None:
    """Every verdict is by the present policies; what they want left is left where that can be."""
    name = active(cluster)
    for revision in cluster.revisions():
        status = cluster.status(revision)
        verdict = status.refusal or status.verification
        returns = status.phase in (RevisionPhase.SUPERSEDED, RevisionPhase.RETIRED)
        admitted = status.verification is not None and status.verification.verdict == "Verified"
        if revision == name or (returns and admitted):
            told = verdict is not None and verdict.policies == cluster.policies
            require(1, told, f"{revision} ({status.phase}) was verified by {verdict}")
            trusted = cluster.version_of(revision) not in cluster.distrusted
            require(1, trusted or status.refusal is not None, f"{revision} is refused by nobody")
    if name is None or not cluster.serving(name) or cluster.spec.replicas == 0:
        return
    refusal = cluster.status(name).refusal
    better = _known_good(cluster, name) if refusal is not None and refusal.revert else None
    require(3, better is None or not well(cluster, better), f"{name} is refused, {better} is not")


def _known_good(cluster: Cluster, leaving: str) -> str | None:
    places = []
    for name in cluster.revisions():
        status = cluster.status(name)
        verified = status.verification is not None and status.verification.verdict == "Verified"
        verified = verified and status.refusal is None
        if name != leaving and status.active_since and verified and status.phase not in REFUSED:
            places.append((status.good_since is not None, status.active_since, name))
    return max(places)[2] if places else None


def _tidy(cluster: Cluster) -> None:
    """What is not needed runs no Pods; what serves runs as many as it should."""
    name = active(cluster)
    for deployment in cluster.all("Deployment"):
        status = cluster.status(deployment.name)
        replicas = deployment.body.replicas
        if deployment.name == name:
            require(2, replicas == cluster.spec.replicas, f"{name} has {replicas} replicas")
        elif status.phase in (*REFUSED, RevisionPhase.RETIRED) and name is not None:
            revert = cluster.get("Release", NAME).body.status.revert
            returns = revert is not None and revert.target == deployment.name
            refusal = cluster.status(name).refusal
            left = not well(cluster, name) or (refusal is not None and refusal.revert)
            needed = left and _known_good(cluster, name) == deployment.name
            forged = cluster.selected == deployment.name
            idle = replicas == 0 or returns or needed or forged or _unwritten(cluster)
            require(8, idle, f"{deployment.name} ({status.phase}) runs {replicas} Pods")


def _unwritten(cluster: Cluster) -> bool:
    """Whether nothing that serves answers, so that no HTTPRoute could be written or go since."""
    name = active(cluster)
    there = routed(cluster.spec) or cluster.http_route is not None
    return there and not cluster.serving(name or "")
