"""The real `decide` in a simulated cluster where everything goes wrong: the invariants hold.

A state machine plays users, applications that break, a network that loses, delays and repeats
events, an API server that refuses or does not answer, and an operator that is killed between any
two writes. `Invariants` checks every plan and every write; at the end of each run all faults stop
and the release must come to the one end that it should.

`HYPOTHESIS_PROFILE=long` searches for as long as you let it.
"""

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from immutablerelease.api.action import ActionKind
from immutablerelease.api.release import ReleaseSpec
from immutablerelease.api.strategy import Promotion

from .cluster import Behaviour, Cluster
from .ending import heal, settle, warm_target
from .invariants import Invariants, require
from .simulator import Faults, Operator
from .stage import MIRRORED, PAUSES, STEPS, VERSIONS, manual, pausing, release_spec
from .tampering import CHANGES, TAMPERING

# A run is dear: some thousand decisions. Shrinking one for an hour is worth less than searching on.
BOUNDED = settings(
    max_examples=120,
    stateful_step_count=40,
    derandomize=True,
    report_multiple_bugs=False,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(
    BOUNDED,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "3000")),
    stateful_step_count=60,
    derandomize=False,
    phases=(Phase.reuse, Phase.generate),
    print_blob=True,
)
PROFILE = LONG if os.environ.get("HYPOTHESIS_PROFILE") == "long" else BOUNDED

CALM = Faults()
LOSSY = Faults(lose=0.3, delay=0.3, repeat=0.2)
ROUGH = Faults(lose=0.1, delay=0.3, repeat=0.1, fail=0.15, lose_answer=0.1, crash=0.1)
DEADLY = Faults(crash=0.4)

GATEWAY, ISTIO = "gateway", "istio"
# Steps, none for a release that is blue-green, and which router is asked for.
CARRIED: list[tuple[Any, str]] = [
    ((), ""),
    (STEPS, ""),
    (PAUSES, ""),
    ((), GATEWAY),
    (STEPS, GATEWAY),
    (PAUSES, GATEWAY),
    (MIRRORED, GATEWAY),
    ((), ISTIO),
    (STEPS, ISTIO),
    (PAUSES, ISTIO),
]

DELETED = ["Deployment", "RevisionService", "Budget", "Revision", "Service", "HTTPRoute"]


def _carried_by(router: str) -> ReleaseSpec:
    return release_spec(gateway=router == GATEWAY, istio=router == ISTIO)


class ReleaseMachine(RuleBasedStateMachine):
    """One release, its operator, and all that can happen to them."""

    @initialize(
        seed=st.integers(0, 2**16),
        manual=st.booleans(),
        preview=st.sampled_from([None, 1]),
        probed=st.sampled_from([True, True, False]),
        carried=st.sampled_from(CARRIED),
        faults=st.sampled_from([CALM, CALM, LOSSY, ROUGH]),
    )
    def start(
        self,
        seed: int,
        manual: bool,
        preview: int | None,
        probed: bool,
        carried: tuple[Any, str],
        faults: Faults,
    ) -> None:
        steps, self.router = carried
        promotion = Promotion.MANUAL if manual else Promotion.AUTOMATIC
        spec = release_spec(promotion=promotion, preview=preview, probed=probed, steps=steps)
        spec = spec.model_copy(update={"traffic": _carried_by(self.router).traffic})
        self.cluster = Cluster(spec)
        self.checks = Invariants(self.cluster)
        self.operator = Operator(self.cluster, seed, self.checks)
        self.operator.faults = faults
        self._wait(10)
        if manual:
            self.cluster.act(ActionKind.PROMOTE)
        self._wait(5)

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

    # --- releases -------------------------------------------------------------------------------

    @rule(version=st.sampled_from(VERSIONS), seconds=st.integers(0, 12))
    def deploy(self, version: str, seconds: int) -> None:
        self.cluster.deploy(version)
        self._wait(seconds)

    @rule(version=st.sampled_from(VERSIONS), port=st.sampled_from([80, 81]), alone=st.booleans())
    def renumber(self, version: str, port: int, alone: bool) -> None:
        """With a version that is new or by itself, which is for the revision that is there."""
        if not alone:
            self.cluster.deploy(version)
        self.cluster.renumber(port)
        self._wait(3)

    @rule(version=st.sampled_from(VERSIONS), seconds=st.integers(5, 35))
    def release_well(self, version: str, seconds: int) -> None:
        self.cluster.behaviours[version] = Behaviour()
        self.cluster.change(paused=False, replicas=max(1, self.cluster.spec.replicas))
        self.cluster.deploy(version)
        self._wait(8)
        if manual(self.cluster.spec) or pausing(self.cluster.spec):
            self.cluster.act(ActionKind.PROMOTE)
        self._wait(seconds)

    @rule(
        version=st.sampled_from(VERSIONS),
        how=st.sampled_from(["crashes", "probe_passes"]),
        seconds=st.integers(2, 15),
    )
    def release_and_break(self, version: str, how: str, seconds: int) -> None:
        self.release_well(version, 6)
        leaving, warm = self.cluster.selected, warm_target(self.cluster)
        setattr(self.cluster.of_version(version), how, how == "crashes")
        self._wait(seconds)
        calm = self.operator.faults == CALM and seconds >= 8
        noticed = how == "crashes" or bool(self.cluster.spec.health.probes)
        if calm and noticed and warm is not None and leaving == self._revision(version):
            require(3, self.cluster.selected == warm, f"{leaving} fails and {warm} waits for it")

    @rule(
        version=st.sampled_from(VERSIONS),
        what=st.sampled_from(["signed", "pullable", "starts", "crashes", "probe_passes"]),
        seconds=st.integers(0, 12),
    )
    def deploy_what_is_no_good(self, version: str, what: str, seconds: int) -> None:
        self.cluster.behaviours[version] = replace(Behaviour(), **{what: what == "crashes"})
        self.cluster.deploy(version)
        self._wait(seconds)

    @rule(
        version=st.sampled_from(VERSIONS),
        what=st.sampled_from(["signed", "pullable", "starts", "crashes", "probe_passes"]),
        seconds=st.integers(0, 8),
    )
    def mend(self, version: str, what: str, seconds: int) -> None:
        setattr(self.cluster.of_version(version), what, what != "crashes")
        self._wait(seconds)

    @rule(seconds=st.integers(1, 12))
    def what_serves_breaks(self, seconds: int) -> None:
        service = self.cluster.service
        selected = service.record.revision if service and service.record else None
        if selected is not None and self.cluster.find("Revision", selected):
            self.cluster.behaviour(selected).probe_passes = False
        self._wait(seconds)

    # --- users ----------------------------------------------------------------------------------

    @rule(change=st.sampled_from(sorted(CHANGES)), seconds=st.integers(0, 6))
    def change_the_spec(self, change: str, seconds: int) -> None:
        CHANGES[change](self.cluster)
        self._wait(seconds)

    @rule(kind=st.sampled_from(list(ActionKind)), seconds=st.integers(0, 6))
    def act(self, kind: ActionKind, seconds: int) -> None:
        self.cluster.act(kind)
        self._wait(seconds)

    @rule(version=st.sampled_from(VERSIONS), seconds=st.integers(0, 6))
    def roll_back_to(self, version: str, seconds: int) -> None:
        self.cluster.act(ActionKind.ROLLBACK, self._revision(version) or "shop-0000000000")
        self._wait(seconds)

    @rule(
        distrusted=st.sets(st.sampled_from(VERSIONS), max_size=2),
        revert=st.booleans(),
        every=st.sampled_from([None, None, 15.0]),
        seconds=st.integers(0, 6),
    )
    def change_policies(
        self, distrusted: set[str], revert: bool, every: float | None, seconds: int
    ) -> None:
        self.cluster.reverify_every = every
        self.cluster.change_policy(*distrusted, revert=revert)
        self._wait(seconds)

    @rule(seconds=st.integers(0, 6))
    def what_serves_is_trusted_no_more(self, seconds: int) -> None:
        selected = self.cluster.selected
        if selected is not None:
            self.cluster.change_policy(self.cluster.version_of(selected), revert=True)
        self._wait(seconds)

    @rule(version=st.sampled_from(VERSIONS), gone=st.booleans())
    def signatures_are_out_of_reach(self, version: str, gone: bool) -> None:
        self.cluster.unreachable = {version} if gone else set()

    # --- what applications need -----------------------------------------------------------------

    @rule(slow=st.sampled_from([1.0, 2.0, 6.0, 20.0]), version=st.sampled_from(VERSIONS))
    def slow_start(self, slow: float, version: str) -> None:
        self.cluster.of_version(version).start_seconds = slow

    @rule(seconds=st.integers(1, 12), for_good=st.booleans())
    def shared_dependency_is_down(self, seconds: int, for_good: bool) -> None:
        was = self.cluster.dependency_down_since
        self.cluster.dependency_down_since = was or self.cluster.now
        self._wait(seconds)
        if not for_good:
            self.cluster.dependency_down_since = None

    @rule(what=st.sampled_from(["registry_up", "endpoints_stuck"]), value=st.booleans())
    def environment(self, what: str, value: bool) -> None:
        setattr(self.cluster, what, value)

    # --- gateways -------------------------------------------------------------------------------

    @rule(
        what=st.sampled_from(["stuck", "behind", "refuses", "silent", "unreachable"]),
        seconds=st.integers(0, 25),
    )
    def gateway_is_in_trouble(self, what: str, seconds: int) -> None:
        """Proxies of a mesh are never late for longer than they are given."""
        if not self.cluster.edge.mesh or what in ("refuses", "silent"):
            setattr(self.cluster.edge, what, True)
        self._wait(seconds)

    @rule(seconds=st.integers(0, 6))
    def gateway_is_well(self, seconds: int) -> None:
        self.cluster.edge.heal()
        self._wait(seconds)

    @rule(times=st.integers(1, 4), seconds=st.integers(1, 3))
    def acceptance_flaps(self, times: int, seconds: int) -> None:
        for _ in range(times):
            self.cluster.edge.refuses = not self.cluster.edge.refuses
            self._wait(seconds)

    @rule(asked=st.booleans(), seconds=st.integers(0, 12))
    def ask_for_a_router(self, asked: bool, seconds: int) -> None:
        router = (self.router or GATEWAY) if asked else ""
        self.cluster.change(traffic=_carried_by(router).traffic)
        if not asked and self.cluster.spec.strategy == release_spec(steps=MIRRORED).strategy:
            # Without a gateway nothing can be copied: the manifest would be refused.
            self.cluster.change(strategy=release_spec(steps=STEPS).strategy)
        self._wait(seconds)

    @rule(all_of_them=st.booleans())
    def evict(self, all_of_them: bool) -> None:
        pods = [pod for pod in self.cluster.all("Pod") if not pod.body.view.deleting]
        for pod in pods if all_of_them else pods[:1]:
            self.cluster.terminate(pod)

    # --- vandals --------------------------------------------------------------------------------

    @rule(what=st.sampled_from(sorted(TAMPERING)), version=st.sampled_from(VERSIONS))
    def tamper(self, what: str, version: str) -> None:
        TAMPERING[what](self.cluster, self._revision(version))

    @rule(kind=st.sampled_from(DELETED), data=st.data())
    def delete(self, kind: str, data: st.DataObject) -> None:
        names = sorted(stored.name for stored in self.cluster.all(kind))
        if names:
            name = data.draw(st.sampled_from(names))
            self.cluster.delete(kind, name)
            if kind == "Revision":
                self.checks.forget(name)
            if kind in ("Service", "HTTPRoute"):
                self.checks.forget_untold()
            if kind == "HTTPRoute":
                self.checks.torn_out = True

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
