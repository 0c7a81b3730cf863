"""The real `decide` in a simulated cluster where everything goes wrong: the invariants hold.

A state machine plays users, applications that break, a network that loses, delays and repeats
events, an API server that refuses or does not answer, and an operator that is killed between any
two writes. `Invariants` checks every plan and every write; at the end of each run all faults stop
and the release must come to the one end that it should.

`HYPOTHESIS_PROFILE=long` searches for as long as you let it.
"""

import os
from datetime import timedelta

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from immutablerelease.api.action import ActionKind
from immutablerelease.api.release import OnFailure, Promotion

from .cluster import Cluster
from .ending import heal, settle
from .invariants import Invariants
from .simulator import Faults, Operator
from .stage import VERSIONS, release_spec

settings.register_profile(
    "bounded",
    max_examples=120,
    stateful_step_count=40,
    derandomize=True,
    report_multiple_bugs=False,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "long",
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "3000")),
    stateful_step_count=60,
    # Searching is worth more than shrinking: one run takes steps enough to shrink for an hour.
    phases=(Phase.reuse, Phase.generate),
    report_multiple_bugs=False,
    print_blob=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "bounded"))

CALM = Faults()
LOSSY = Faults(lose=0.3, delay=0.3, repeat=0.2)
ROUGH = Faults(lose=0.1, delay=0.3, repeat=0.1, fail=0.15, lose_answer=0.1, crash=0.1)
DEADLY = Faults(crash=0.4)


class ReleaseMachine(RuleBasedStateMachine):
    """One release, its operator, and all that can happen to them."""

    @initialize(
        seed=st.integers(0, 2**16),
        manual=st.booleans(),
        preview=st.sampled_from([None, 1]),
        probed=st.sampled_from([True, True, False]),
        faults=st.sampled_from([CALM, CALM, LOSSY, ROUGH]),
    )
    def start(
        self, seed: int, manual: bool, preview: int | None, probed: bool, faults: Faults
    ) -> None:
        promotion = Promotion.MANUAL if manual else Promotion.AUTOMATIC
        spec = release_spec(promotion=promotion, preview=preview, probed=probed)
        self.cluster = Cluster(spec)
        self.checks = Invariants(self.cluster)
        self.operator = Operator(self.cluster, seed, self.checks)
        self.operator.faults = faults
        self._wait(15)

    def _wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.cluster.tick()
            self.operator.tick()

    def _revision(self, version: str) -> str | None:
        return self.cluster.revision_of(version)

    @rule(seconds=st.integers(1, 25))
    def wait(self, seconds: int) -> None:
        self._wait(seconds)

    @rule(seconds=st.integers(25, 70))
    def wait_long(self, seconds: int) -> None:
        self._wait(seconds)

    # --- users ----------------------------------------------------------------------------------

    @rule(version=st.sampled_from(VERSIONS), seconds=st.integers(0, 12))
    def deploy(self, version: str, seconds: int) -> None:
        self.cluster.deploy(version)
        self._wait(seconds)

    @rule()
    def apply_the_same_again(self) -> None:
        self.cluster.reapply()

    @rule(replicas=st.integers(0, 4))
    def scale(self, replicas: int) -> None:
        self.cluster.change(replicas=replicas)

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.cluster.change(paused=paused)

    @rule(alert=st.sampled_from([False, False, True]))
    def set_guard(self, alert: bool) -> None:
        guard = self.cluster.spec.guard
        on_failure = OnFailure.ALERT if alert else OnFailure.REVERT
        self.cluster.change(guard=guard.model_copy(update={"on_failure": on_failure}))

    @rule(kind=st.sampled_from(list(ActionKind)), seconds=st.integers(0, 6))
    def act(self, kind: ActionKind, seconds: int) -> None:
        self.cluster.act(kind)
        self._wait(seconds)

    @rule(version=st.sampled_from(VERSIONS))
    def roll_back_to(self, version: str) -> None:
        self.cluster.act(ActionKind.ROLLBACK, self._revision(version) or "shop-0000000000")

    @rule(distrusted=st.sets(st.sampled_from(VERSIONS), max_size=2))
    def change_policies(self, distrusted: set[str]) -> None:
        self.cluster.change_policy(*distrusted)

    # --- applications and what they need --------------------------------------------------------

    @rule(
        version=st.sampled_from(VERSIONS),
        what=st.sampled_from(["signed", "pullable", "starts", "crashes", "probe_passes"]),
        well=st.booleans(),
        seconds=st.integers(0, 8),
    )
    def turn(self, version: str, what: str, well: bool, seconds: int) -> None:
        setattr(self.cluster.of_version(version), what, well is not (what == "crashes"))
        self._wait(seconds)

    @rule(seconds=st.integers(1, 8))
    def what_serves_breaks(self, seconds: int) -> None:
        selected = self.cluster.selected
        if selected is not None and self.cluster.find("Revision", selected):
            self.cluster.behaviour(selected).probe_passes = False
        self._wait(seconds)

    @rule(slow=st.sampled_from([1.0, 2.0, 6.0, 20.0]), version=st.sampled_from(VERSIONS))
    def slow_start(self, slow: float, version: str) -> None:
        self.cluster.of_version(version).start_seconds = slow

    @rule(down=st.booleans())
    def shared_dependency(self, down: bool) -> None:
        was = self.cluster.dependency_down_since
        self.cluster.dependency_down_since = (was or self.cluster.now) if down else None

    @rule(up=st.booleans())
    def registry(self, up: bool) -> None:
        self.cluster.registry_up = up

    @rule(stuck=st.booleans())
    def endpoints(self, stuck: bool) -> None:
        self.cluster.endpoints_stuck = stuck

    # --- vandals --------------------------------------------------------------------------------

    @rule(version=st.sampled_from([*VERSIONS, None]))
    def tamper_with_selector(self, version: str | None) -> None:
        self.cluster.tamper_selector(self._revision(version) if version else None)

    @rule(version=st.sampled_from(VERSIONS))
    def tamper_with_record(self, version: str) -> None:
        name = self._revision(version)
        served = name is not None and self.cluster.status(name).active_since is not None
        # A record that names what did serve is a wish like any other; only the rest is a forgery.
        if name is not None and not served:
            self.cluster.tamper_record(name)

    @rule(version=st.sampled_from(VERSIONS), replicas=st.integers(0, 3))
    def tamper_with_replicas(self, version: str, replicas: int) -> None:
        name = self._revision(version)
        if name and self.cluster.find("Deployment", name):
            self.cluster.tamper_replicas(name, replicas)

    @rule(version=st.sampled_from(VERSIONS))
    def tamper_with_template(self, version: str) -> None:
        name = self._revision(version)
        if name and self.cluster.find("Deployment", name):
            self.cluster.tamper_template(name)

    @rule(all_of_them=st.booleans())
    def evict(self, all_of_them: bool) -> None:
        pods = [pod for pod in self.cluster.all("Pod") if not pod.body.view.deleting]
        for pod in pods if all_of_them else pods[:1]:
            self.cluster.terminate(pod)

    @rule(kind=st.sampled_from(["Deployment", "RevisionService", "Revision"]), data=st.data())
    def delete(self, kind: str, data: st.DataObject) -> None:
        names = sorted(stored.name for stored in self.cluster.all(kind))
        if names:
            name = data.draw(st.sampled_from(names))
            self.cluster.delete(kind, name)
            self.checks.forget(name) if kind == "Revision" else None

    @rule()
    def tamper_with_ports(self) -> None:
        self.cluster.tamper_ports()

    @rule()
    def delete_service(self) -> None:
        if self.cluster.service is not None:
            self.cluster.delete("Service", "shop")

    # --- the operator ---------------------------------------------------------------------------

    @rule(faults=st.sampled_from([CALM, LOSSY, ROUGH, DEADLY]))
    def faults(self, faults: Faults) -> None:
        self.operator.faults = faults

    @rule(skew=st.sampled_from([0.0, -0.4, -2.0, 1.5]))
    def kill(self, skew: float) -> None:
        self.operator.skew = timedelta(seconds=skew)
        self.operator.restart()

    def teardown(self) -> None:
        if not hasattr(self, "cluster"):
            return
        try:
            if not self.checks.broken:
                heal(self.cluster, self.operator)
                settle(self.cluster, self.operator)
        finally:
            note(self.operator.story())


TestInvariants = ReleaseMachine.TestCase
TestInvariants.settings = PROFILE
