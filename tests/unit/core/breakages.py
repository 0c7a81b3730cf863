"""Deliberate breakages of the core, each of one invariant: the tests of the tests.

A breakage replaces one piece of text in one function of the real code while it is in force.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from immutablerelease.core import draft, probing, signals
from immutablerelease.core.phases import (
    candidate,
    demand,
    guard,
    hands,
    moving_back,
    probed,
    report,
    reverified,
    route,
    scale,
    sharing,
    shifting,
    specified,
    target,
    verified,
)

from .stories import Story
from .storybook import (
    ASKED_IN_TURN,
    ASKED_LAST,
    ASKED_TOO_LATE,
    BY_HAND,
    CANARY,
    CANARY_REVERTED,
    CANARY_SHARED_DEPENDENCY,
    CANARY_SUPERSEDED,
    FORGED_EARLY,
    GATEWAY,
    GATEWAY_CANARY,
    GATEWAY_LATE,
    GATEWAY_LATE_TO_LEAVE,
    MEASURED_BADLY,
    NEVER_STARTS,
    NEVER_WELL,
    NEW_POLICIES,
    NOTHING_MEASURED,
    REFUSED_AND_TOLD,
    REFUSED_BEFORE,
    REPLACED,
    REVERTED_WARM,
    REVOKED_WARM,
    ROLLED_BACK,
    SHARED_DEPENDENCY,
    SIGNATURE_GONE,
    SIGNED_LATER,
    SILENT_SERVER,
    STUCK_ENDPOINTS,
    TURNS_BAD,
    UNSURE,
)

Function = Callable[..., Any]


@dataclass(frozen=True)
class Breakage:
    """One sentence of what is wrong, and how it is brought about."""

    invariant: int
    name: str
    # The story that goes wrong by it.
    story: Story
    function: Function
    found: str
    put: str


@contextmanager
def broken(breakage: Breakage) -> Iterator[None]:
    """Have the breakage in force."""
    function = breakage.function
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(breakage.found) == 1, f"{breakage.name}: the code has changed"
    scope: dict[str, Any] = {}
    patched = source.replace(breakage.found, breakage.put)
    exec(compile(patched, function.__code__.co_filename, "exec"), function.__globals__, scope)  # noqa: S102
    whole = function.__code__
    function.__code__ = scope[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = whole


BREAKAGES = (
    Breakage(
        1,
        "a record of the route is believed whatever it names",
        FORGED_EARLY,
        route._proven_once,
        "return tested and draft.verified(name)",
        "return status is not None",
    ),
    Breakage(
        1,
        "what was verified is never looked at again though policies change",
        REFUSED_BEFORE,
        reverified._concerned,
        "return status.phase is not RevisionPhase.FAILED",
        "return False",
    ),
    Breakage(
        1,
        "a verdict stands for ever",
        SIGNATURE_GONE,
        reverified._due,
        "if draft.now >= newest.due:",
        "if draft.now < newest.due and False:",
    ),
    Breakage(
        1,
        "a refused revision is left for one that the present policies do not verify",
        UNSURE,
        guard._revert,
        "name = replacement(draft, active)",
        "pass",
    ),
    Breakage(
        2,
        "what serves and is refused by now looks as if it had never been admitted",
        REFUSED_AND_TOLD,
        draft.Draft.verified,
        'status.verification.verdict == "Verified"',
        'status.verification.verdict == "Verified" and not status.refusal',
    ),
    Breakage(
        3,
        "what a policy wants left is left alone",
        REVOKED_WARM,
        reverified._refuse,
        "revert=verdict.revert",
        "revert=False",
    ),
    Breakage(
        7,
        "what a policy wanted left comes back with no policy changed",
        SIGNATURE_GONE,
        reverified._due,
        "if status.phase is RevisionPhase.REJECTED and name == draft.wanted:",
        "if False:",
    ),
    Breakage(
        4,
        "a candidate goes on though policies that are new have not passed it",
        NEW_POLICIES,
        candidate.advance,
        "or not proven(draft, name)",
        "",
    ),
    Breakage(
        2,
        "what lost the traffic is scaled down at once",
        REPLACED,
        demand._warm,
        "status = draft.revisions[name]",
        "return False",
    ),
    Breakage(
        2,
        "what endpoints still name is scaled down",
        STUCK_ENDPOINTS,
        demand._routed,
        "return any(pod.name in route.endpoints for pod in draft.snapshot.pods.get(name, ()))",
        "return False",
    ),
    Breakage(
        2,
        "a lost answer about a move is forgotten when shrinking",
        SILENT_SERVER,
        scale.scale,
        "unless_routed=not known",
        "unless_routed=False",
    ),
    Breakage(
        3,
        "a revert waits for the Deployment of what it leaves",
        REVERTED_WARM,
        guard._revert,
        "target.fitness is Fitness.READY or",
        "target.fitness is Fitness.READY and draft.deployment(active) is not None or",
    ),
    Breakage(
        3,
        "a revert waits while the release is paused",
        REVERTED_WARM,
        guard.guard,
        "elif not draft.route_taken:",
        "elif not draft.route_taken and not draft.spec.paused:",
    ),
    Breakage(
        3,
        "a shared dependency that is down makes traffic move",
        SHARED_DEPENDENCY,
        target.examine,
        "if any(signals.answers(pod, probes, states, leaving) for pod in pods):",
        "if pods:",
    ),
    Breakage(
        3,
        "a failing revision is left alone",
        REVERTED_WARM,
        guard.guard,
        "_revert(draft, active, health)",
        "pass",
    ),
    Breakage(
        3,
        "an answer from before the failure began counts for the target",
        ASKED_IN_TURN,
        signals._answers,
        "state.last_at >= other.since and",
        "",
    ),
    Breakage(
        3,
        "an answer from after the failure ended counts for the target",
        ASKED_LAST,
        signals._answers,
        " and passing_since <= other.until",
        "",
    ),
    Breakage(
        3,
        "failures from before a Pod was ready are not looked at again",
        NEVER_WELL,
        probed.failures,
        "draft.wake(max(time, draft.now) + _LATER)",
        "pass",
    ),
    Breakage(
        4,
        "a probe that was never asked counts as passed",
        REPLACED,
        signals._passes,
        "return state is not None and state.outcome",
        "return state is None or state.outcome",
    ),
    Breakage(
        2,
        "the candidate of a canary is made smaller than what its share needs",
        CANARY,
        demand.desired,
        "return testing\n    warm",
        "return 0\n    warm",
    ),
    Breakage(
        4,
        "a candidate gets a share before the gateway is proven to know it",
        GATEWAY_LATE,
        shifting.add,
        "record.candidate == name and in_effect(draft):",
        "record.candidate == name:",
    ),
    Breakage(
        4,
        "a candidate gets its share in the write that names it first",
        GATEWAY_CANARY,
        shifting.add,
        "if record is None or not by",
        "if True or record is None or not by",
    ),
    Breakage(
        4,
        "all the traffic goes to what the gateway does not know",
        GATEWAY,
        shifting.add,
        "if record is None or not by",
        "if True or record is None or not by",
    ),
    Breakage(
        2,
        "what had the traffic behind a gateway is left out at once",
        GATEWAY,
        scale._drained,
        "if not draft.elapsed(record.at, DRAIN):",
        "if False:",
    ),
    Breakage(
        2,
        "Pods go that a late gateway still sends requests to",
        GATEWAY_LATE_TO_LEAVE,
        demand._lags,
        "return by_weight(draft.snapshot.release) and not in_effect(draft)",
        "return False",
    ),
    Breakage(
        5,
        "the Service does not follow an HTTPRoute",
        GATEWAY,
        route._strayed,
        "if route.selected != wanted or route.record != record:",
        "if not router(release) and (route.selected != wanted or route.record != record):",
    ),
    Breakage(
        3,
        "a share is taken though what serves fails the same probe",
        CANARY_SHARED_DEPENDENCY,
        sharing._revert,
        "if fitness is Fitness.READY or",
        "if True or",
    ),
    Breakage(
        3,
        "a candidate that fails keeps its share until its deadline",
        CANARY_REVERTED,
        sharing.retreat,
        "if name is None or record is None",
        "if True or name is None or record is None",
    ),
    Breakage(
        4,
        "a step is left out",
        CANARY,
        shifting._go_on,
        "passed = draft.revisions[name].step + 1",
        "passed = draft.revisions[name].step + 2",
    ),
    Breakage(
        3,
        "what a newer version replaced keeps its share",
        CANARY_SUPERSEDED,
        sharing.withdraw,
        "if name == draft.candidate:",
        "if name:",
    ),
    Breakage(
        4,
        "a candidate is promoted before it is at full size",
        REPLACED,
        demand.full_size,
        "return max(1, draft.replicas(name))",
        "return 1",
    ),
    Breakage(
        4,
        "no deadline ends the wait",
        NEVER_STARTS,
        candidate.advance,
        "(late := _late(draft, name)) is not None",
        "(late := None) is not None",
    ),
    Breakage(
        4,
        "nobody is asked before a manual promotion",
        BY_HAND,
        demand.may_promote,
        "return automatic or",
        "return True or",
    ),
    Breakage(
        5,
        "statuses do not catch up with the route after a crash",
        SILENT_SERVER,
        route.adopt,
        "    settle(draft)",
        "    pass",
    ),
    Breakage(
        5,
        "an action is answered before its effect is written",
        SIGNED_LATER,
        draft.Draft.plan,
        "*self.intents, *statuses, *self.answers,",
        "*self.intents, *self.answers, *statuses,",
    ),
    Breakage(
        5,
        "traffic moves in the same plan as the approval that it needs",
        BY_HAND,
        candidate._test,
        "elif draft.answers or not draft.settled",
        "elif not draft.settled",
    ),
    Breakage(
        5,
        "a revert that is under way is forgotten",
        ROLLED_BACK,
        moving_back.continue_revert,
        "elif _proven(draft, revert.target)",
        "elif not draft",
    ),
    Breakage(
        6,
        "a Deployment that is there is made again",
        REPLACED,
        scale._make_missing,
        "if not complete and",
        "if",
    ),
    Breakage(
        7,
        "a revision that was refused is tried again when the spec comes back to it",
        REVERTED_WARM,
        specified._return,
        "or status.phase in REFUSED",
        "",
    ),
    Breakage(
        7,
        "a refused image is admitted by the next verdict",
        SIGNED_LATER,
        verified._verify,
        "if decided(draft, name):",
        "if decided(draft, name) and draft.verified(name):",
    ),
    Breakage(
        7,
        "a revert leaves no mark on what it left",
        REVERTED_WARM,
        route._lost_traffic,
        "if record.reason in _BLAMELESS:",
        "if record.reason:",
    ),
    Breakage(
        4,
        "no data counts as a pass",
        NOTHING_MEASURED,
        probing.count,
        "return _blind(state, attempt, probe)",
        "attempt = replace(attempt, ok=True)",
    ),
    Breakage(
        3,
        "no data counts as a failure",
        NOTHING_MEASURED,
        probing.count,
        "return _blind(state, attempt, probe)",
        "attempt = replace(attempt, ok=False)",
    ),
    Breakage(
        4,
        "what was measured before Prometheus went down is good enough for ever",
        NOTHING_MEASURED,
        probing._blind,
        "return replace(seen, outcome=Outcome.PENDING, failures=0, failing_since=None)",
        "return replace(seen, outcome=Outcome.PASSING, blind=0)",
    ),
    Breakage(
        4,
        "what is asked of a revision as a whole is no gate",
        MEASURED_BADLY,
        signals._whole,
        "if probe.whole",
        "if False",
    ),
    Breakage(
        9,
        "what fails everywhere as a whole is left for one version after the other",
        TURNS_BAD,
        guard._inherited,
        "return returned and",
        "return False and",
    ),
    Breakage(
        8,
        "a condition is written anew whenever it is looked at",
        REPLACED,
        draft.Draft.condition,
        "message=clip(message)",
        "message=clip(f'{message} at {self.now}')",
    ),
    Breakage(
        8,
        "nothing wakes the operator when a wait is over",
        REPLACED,
        draft.Draft.elapsed,
        "self.wake(due)",
        "pass",
    ),
    Breakage(
        8,
        "Stalled stays when it is over",
        REPLACED,
        report._conditions,
        "if item.type in wished",
        "",
    ),
    Breakage(
        9,
        "a revision that failed is a place to go back to",
        REVERTED_WARM,
        target.eligible,
        "and status.phase not in REFUSED",
        "",
    ),
    Breakage(
        9,
        "a rollback goes further back than was asked",
        ASKED_TOO_LATE,
        hands._rollback,
        "if wish is None and draft.record.reason == REVERTED",
        "if False and draft.record.reason == REVERTED",
    ),
)
