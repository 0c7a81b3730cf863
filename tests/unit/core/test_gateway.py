"""A gateway in the simulated cluster: what it is told, what it may still do, and what follows."""

from immutablerelease.api.revision import RevisionPhase
from immutablerelease.core.plan import MoveTraffic

from .cluster import Cluster
from .invariants import Invariants
from .simulator import Operator
from .stage import STEPS, release_spec
from .stories import both, by_gateway, deploy, passing, shared, tell
from .storybook import GATEWAY_MENDED


def _phase(cluster: Cluster, version: str) -> RevisionPhase:
    return cluster.status(cluster.revision_of(version) or "").phase


def test_what_mends_a_version_that_answers_nobody_waits_for_no_gateway() -> None:
    """To be added first, what serves would have to be written as well, and it has no Pods."""
    cluster = tell(GATEWAY_MENDED, thorough=True).cluster
    assert _phase(cluster, "v2") is RevisionPhase.ACTIVE
    assert cluster.edge.receives(cluster.revision_of("v2") or "")


def _in_the_middle(*, gateway: bool) -> Operator:
    """A canary has a share of 20 %; then a gateway is put in, or taken out."""
    spec = release_spec(gateway=gateway, steps=STEPS, replicas=4)
    cluster = Cluster(spec)
    operator = Operator(cluster, 0, Invariants(cluster))
    passing(12)(operator)
    both(deploy("v2"), shared("v2", 20), by_gateway(asked=not gateway))(operator)
    return operator


def _moves(operator: Operator, seconds: int) -> list[tuple[str, int]]:
    """Who serves and what share the candidate has, move by move."""
    operator.history.clear()
    seen: list[tuple[str, int]] = []
    for _ in range(seconds):
        passing(1)(operator)
        intents = [intent for _, result, intent in operator.history if not result]
        records = [intent.record for intent in intents if isinstance(intent, MoveTraffic)]
        seen += [
            (operator.cluster.version_of(record.revision), record.weight) for record in records
        ]
        operator.history.clear()
    return seen


def test_a_gateway_that_is_taken_out_gives_its_share_back_before_pods_share() -> None:
    operator = _in_the_middle(gateway=True)
    assert _moves(operator, 40) == [("v1", 0), ("v1", 20), ("v1", 50), ("v2", 0)]
    assert _phase(operator.cluster, "v2") is RevisionPhase.ACTIVE
    assert operator.cluster.http_route is None


def test_a_gateway_that_is_put_in_is_told_of_the_candidate_before_it_shares() -> None:
    operator = _in_the_middle(gateway=False)
    assert _moves(operator, 40) == [("v1", 0), ("v1", 20), ("v1", 50), ("v2", 0)]
    assert _phase(operator.cluster, "v2") is RevisionPhase.ACTIVE
    assert operator.cluster.edge.receives(operator.cluster.revision_of("v2") or "")
