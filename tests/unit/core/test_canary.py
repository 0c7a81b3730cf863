"""A canary in the simulated cluster: steps, what ends them, and what takes the share away."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from immutablerelease.api.action import ActionKind
from immutablerelease.api.conditions import find_condition
from immutablerelease.api.release import ReleaseStatus
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.api.strategy import Promotion
from immutablerelease.core.snapshot import EVERY, RouteRecord

from .cluster import Behaviour, Cluster
from .invariants import Invariants
from .objects import NAME
from .simulator import Operator
from .stage import PAUSES, STEPS, release_spec


@dataclass
class Stage:
    """A release of two versions, the second of which is a canary."""

    cluster: Cluster
    operator: Operator
    seen: list[tuple[str | None, int]] = field(default_factory=list)

    def until(self, holds: Any, seconds: int = 60) -> None:
        """Let time pass until something holds."""
        for _ in range(seconds):
            if holds():
                return
            self.wait(1)
        raise AssertionError(f"not within {seconds} s\n{self.operator.story()}")

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        for _ in range(seconds):
            self.cluster.tick()
            self.operator.tick()
            share = (self.cluster.selected, self.record.weight)
            if not self.seen or self.seen[-1] != share:
                self.seen.append(share)

    @property
    def record(self) -> RouteRecord:
        service = self.cluster.service
        assert service is not None
        assert service.record is not None
        return service.record

    @property
    def status(self) -> ReleaseStatus:
        status = self.cluster.get("Release", NAME).body.status
        assert isinstance(status, ReleaseStatus)
        return status

    def name(self, version: str) -> str:
        """Revision of a version."""
        return self.cluster.revision_of(version) or ""

    def phase(self, version: str) -> RevisionPhase | None:
        """Phase of a version."""
        name = self.name(version)
        return self.cluster.status(name).phase if name else None

    def at(self, weight: int) -> bool:
        """Whether that share is in effect."""
        status = self.cluster.status(self.name("v2")) if self.name("v2") else None
        return self.record.weight == weight and status is not None and status.step_at is not None


def _stage(steps: Any = STEPS, replicas: int = 4, **spec: Any) -> Stage:
    cluster = Cluster(release_spec(steps=steps, replicas=replicas, **spec))
    operator = Operator(cluster, 0, Invariants(cluster))
    stage = Stage(cluster, operator)
    for _ in range(12):
        cluster.tick()
        operator.tick()
    assert stage.phase("v1") is RevisionPhase.ACTIVE
    cluster.deploy("v2")
    return stage


def test_a_first_release_has_nothing_to_share_with() -> None:
    stage = _stage()
    assert stage.seen == []
    assert stage.record.revision == stage.name("v1")


def test_the_share_grows_step_by_step_and_what_serves_keeps_its_size() -> None:
    stage = _stage()
    stage.until(lambda: stage.phase("v2") is RevisionPhase.ACTIVE)
    old, new = stage.name("v1"), stage.name("v2")
    assert stage.seen == [(old, 0), (EVERY, 20), (EVERY, 50), (new, 0)]
    assert stage.cluster.get("Deployment", old).body.replicas == 4
    assert stage.operator.events.count("StepReached") == 2


def test_a_share_is_that_of_the_pods_and_told_as_it_is() -> None:
    stage = _stage()
    stage.until(lambda: stage.at(20))
    stage.wait(1)
    shares = {share.revision: share.weight for share in stage.status.traffic}
    assert shares == {stage.name("v1"): 80, stage.name("v2"): 20}
    assert stage.cluster.get("Deployment", stage.name("v2")).body.replicas == 1
    step = stage.status.step
    assert step is not None
    assert (step.index, step.count, step.weight) == (1, 2, 20)
    assert step.until is not None


@pytest.mark.parametrize("weight", [20, 50])
@pytest.mark.parametrize("how", ["probe_passes", "crashes"])
def test_a_candidate_that_fails_loses_its_share_in_one_write(weight: int, how: str) -> None:
    stage = _stage()
    stage.until(lambda: stage.at(weight))
    setattr(stage.cluster.of_version("v2"), how, how == "crashes")
    stage.until(lambda: stage.record.weight == 0, 8)
    assert stage.cluster.selected == stage.name("v1")
    stage.until(lambda: stage.phase("v2") is RevisionPhase.FAILED, 6)
    stage.wait(60)
    assert stage.cluster.selected == stage.name("v1")
    assert stage.cluster.get("Deployment", stage.name("v2")).body.replicas == 0
    assert stage.cluster.get("Deployment", stage.name("v1")).body.replicas == 4


def test_what_lost_its_share_keeps_its_pods_while_connections_end() -> None:
    stage = _stage()
    stage.until(lambda: stage.at(50))
    stage.cluster.of_version("v2").probe_passes = False
    stage.until(lambda: stage.record.weight == 0, 8)
    stage.wait(8)
    assert stage.cluster.get("Deployment", stage.name("v2")).body.replicas == 4


def test_a_pause_ends_by_somebodys_word_and_no_sooner() -> None:
    stage = _stage(PAUSES)
    stage.until(lambda: stage.at(50))
    stage.wait(40)
    assert stage.phase("v2") is RevisionPhase.SHIFTING
    assert stage.status.phase == "AwaitingPromotion"
    ready = find_condition(stage.status.conditions, "Ready")
    assert ready is not None
    assert ready.message == (
        f"{stage.name('v2')} is at step 2 of 2, 50% of the traffic and waits for a ReleaseAction "
        "Promote"
    )
    asked = stage.cluster.act(ActionKind.PROMOTE)
    stage.until(lambda: stage.phase("v2") is RevisionPhase.ACTIVE, 15)
    answer = stage.cluster.get("Action", asked).body.status.message
    assert answer.endswith("ends; all of the traffic follows when its probes pass")


def test_promote_ends_one_step_and_in_full_all_of_them() -> None:
    slow = ({"weight": 10, "hold": "1h"}, {"weight": 50, "hold": "1h"})
    stage = _stage(slow)
    stage.until(lambda: stage.at(10))
    stage.cluster.act(ActionKind.PROMOTE)
    stage.until(lambda: stage.at(50), 15)
    stage.wait(10)
    assert stage.at(50)
    stage.cluster.act(ActionKind.PROMOTE, full=True)
    stage.until(lambda: stage.phase("v2") is RevisionPhase.ACTIVE, 15)


def test_abort_gives_all_traffic_back() -> None:
    stage = _stage(PAUSES)
    stage.until(lambda: stage.at(50))
    stage.cluster.act(ActionKind.ABORT)
    stage.until(lambda: stage.record.weight == 0, 3)
    stage.wait(2)
    assert stage.record.reason == "Aborted"
    assert stage.phase("v2") is RevisionPhase.FAILED


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_a_newer_spec_takes_the_share_away_and_an_older_one_too(version: str) -> None:
    stage = _stage(PAUSES)
    stage.until(lambda: stage.at(50))
    stage.cluster.deploy(version)
    stage.until(lambda: stage.record.candidate != stage.name("v2"), 5)
    stage.wait(5)
    assert stage.phase("v2") is RevisionPhase.SUPERSEDED
    assert stage.phase("v1") is RevisionPhase.ACTIVE
    stage.wait(30)
    if version == "v3":
        assert stage.record.candidate == stage.name("v3")
    else:
        assert (stage.record.candidate, stage.record.weight) == (None, 0)


def test_a_dependency_of_both_takes_nothing_from_the_candidate() -> None:
    stage = _stage(PAUSES)
    stage.until(lambda: stage.at(50))
    stage.cluster.dependency_down_since = stage.cluster.now
    stage.wait(20)
    assert stage.at(50)
    stage.cluster.dependency_down_since = None
    stage.wait(10)
    assert stage.phase("v2") is RevisionPhase.SHIFTING


def test_where_only_the_candidate_still_answers_it_gets_everything() -> None:
    stage = _stage(PAUSES)
    stage.until(lambda: stage.at(50))
    stage.cluster.of_version("v1").crashes = True
    stage.until(lambda: stage.cluster.selected == stage.name("v2"), 20)
    stage.wait(3)
    assert stage.phase("v2") is RevisionPhase.ACTIVE
    assert stage.phase("v1") is RevisionPhase.FAILED


def test_what_comes_back_from_being_warm_gets_no_more_than_its_step() -> None:
    stage = _stage(keep_warm=600)
    stage.until(lambda: stage.phase("v2") is RevisionPhase.ACTIVE)
    stage.wait(15)
    assert len(stage.cluster.serving(stage.name("v1"))) == 4
    stage.cluster.deploy("v1")
    stage.until(lambda: stage.cluster.selected == EVERY)
    assert stage.record.weight == 20
    assert len(stage.cluster.serving(stage.name("v1"))) == 1


def test_where_nobody_answers_there_is_nothing_to_share_and_no_steps() -> None:
    stage = _stage()
    stage.cluster.of_version("v1").crashes = True
    stage.until(lambda: stage.phase("v2") is RevisionPhase.ACTIVE, 60)


def test_a_release_that_is_scaled_to_zero_is_no_canary() -> None:
    stage = _stage(PAUSES)
    stage.cluster.change(replicas=0)
    stage.until(lambda: stage.phase("v2") is RevisionPhase.ACTIVE, 60)


def test_what_is_kept_warm_gives_way_before_the_service_selects_every_pod() -> None:
    stage = _stage(keep_warm=600)
    stage.until(lambda: stage.phase("v2") is RevisionPhase.ACTIVE)
    stage.wait(15)
    assert stage.cluster.get("Deployment", stage.name("v1")).body.replicas == 4
    stage.cluster.deploy("v3")
    stage.until(lambda: stage.cluster.selected == EVERY, 60)
    stage.until(lambda: stage.phase("v3") is RevisionPhase.ACTIVE, 60)
    stage.wait(20)
    assert stage.cluster.get("Deployment", stage.name("v1")).body.replicas == 0


def test_a_release_that_is_paused_stays_at_its_step_and_is_still_watched() -> None:
    stage = _stage()
    stage.until(lambda: stage.at(20))
    stage.cluster.change(paused=True)
    stage.wait(30)
    assert stage.record.weight == 20
    stage.cluster.behaviours["v2"] = replace(Behaviour(), probe_passes=False)
    stage.until(lambda: stage.record.weight == 0, 8)


def test_scaling_in_the_middle_scales_both() -> None:
    stage = _stage(PAUSES, replicas=2)
    stage.until(lambda: stage.at(50))
    stage.cluster.change(replicas=6)
    stage.wait(10)
    assert stage.cluster.get("Deployment", stage.name("v1")).body.replicas == 6
    assert stage.cluster.get("Deployment", stage.name("v2")).body.replicas == 6


def _changed(stage: Stage, **how: Any) -> None:
    stage.cluster.change(strategy=release_spec(**how).strategy)


def test_steps_that_are_changed_to_fewer_are_taken_from_the_first() -> None:
    """Whoever wants a smaller share in the middle gets that, and not all the traffic."""
    stage = _stage(steps=PAUSES)
    stage.until(lambda: stage.at(50))
    _changed(stage, steps=({"weight": 20, "pause": True},))
    stage.until(lambda: stage.at(20))
    stage.wait(60)
    assert stage.phase("v1") is RevisionPhase.ACTIVE
    stage.cluster.act(ActionKind.PROMOTE)
    stage.until(lambda: stage.phase("v2") is RevisionPhase.ACTIVE)


def test_a_share_is_given_back_when_the_release_is_to_move_at_once_by_hand() -> None:
    stage = _stage(steps=PAUSES)
    stage.until(lambda: stage.at(50))
    _changed(stage, promotion=Promotion.MANUAL, preview=1)
    stage.wait(5)
    assert (stage.cluster.selected, stage.record.weight) == (stage.name("v1"), 0)
    assert len(stage.cluster.pods(stage.name("v2"))) == 1
    stage.cluster.act(ActionKind.PROMOTE)
    stage.until(lambda: stage.phase("v2") is RevisionPhase.ACTIVE)


@pytest.mark.parametrize(
    "how",
    [
        {"promotion": Promotion.MANUAL, "preview": 1},
        {"steps": ({"weight": 5, "pause": True},)},
        {"steps": ({"weight": 5}, {"weight": 5, "pause": True})},
    ],
    ids=["at once by hand", "one small step", "smaller steps"],
)
def test_a_gateway_that_is_late_sends_a_share_to_as_many_pods_as_it_takes(
    how: dict[str, Any],
) -> None:
    stage = _stage(steps=PAUSES, gateway=True)
    stage.until(lambda: stage.at(50))
    assert len(stage.cluster.pods(stage.name("v2"))) == 2
    stage.cluster.edge.stuck = True
    _changed(stage, **how)
    stage.wait(10)
    assert stage.record.weight < 50
    assert len(stage.cluster.pods(stage.name("v2"))) == 2
    stage.cluster.edge.heal()
    stage.wait(10)
    assert len(stage.cluster.pods(stage.name("v2"))) == 1
