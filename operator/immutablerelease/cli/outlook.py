"""What happens next with a release, in one line: the operator's next move, or the user's."""

from datetime import datetime, timedelta

from immutablerelease.api.conditions import Condition, find_condition
from immutablerelease.api.objects import Revision
from immutablerelease.api.release import ReleasePhase
from immutablerelease.api.revision import RevisionPhase

from .explanations import Explanation, explanation
from .reading import Story


def ready(story: Story) -> Condition | None:
    """The condition that says where the release is."""
    return find_condition(story.release.status.conditions, "Ready")


def explained(story: Story, reason: str, revision: str | None = None) -> Explanation:
    """The explanation of a reason with the names of this release in it."""
    status = story.release.status
    wanted = story.wanted
    names = {
        "release": story.argument,
        "revision": revision or (wanted.metadata.name if wanted else "the revision"),
        "active": status.active_revision or "what serves",
        "good": status.known_good_revision or "the revision to go back to",
    }
    found = explanation(reason)
    return Explanation(found.why.format(**names), found.then.format(**names))


def next_step(story: Story, now: datetime) -> str:
    """One line: what the operator does next and when, or what it waits for."""
    for view in (_unseen, _reverting, _canary, _in_flight, _settled):
        line = view(story, now)
        if line:
            return line
    condition = ready(story)
    if condition is None:
        return explained(story, "Pending").then
    return explained(story, condition.reason).then or condition.message


def _unseen(story: Story, now: datetime) -> str:
    release = story.release
    if release.status.observed_generation < release.metadata.generation:
        return (
            "The operator has not looked at the present spec yet. That takes about a second; if it "
            "stays so, look whether the operator runs."
        )
    return ""


def _reverting(story: Story, now: datetime) -> str:
    revert = story.release.status.revert
    if revert is None:
        return ""
    target = story.revision(revert.target)
    started = target.status.started_at if target else None
    late = _when(started, story.release.spec.health.progress_deadline, now)
    return f"{_called(story, revert.target)} takes the traffic once it is proven{_by(late)}."


def _canary(story: Story, now: datetime) -> str:
    step = story.release.status.step
    if step is None or story.release.spec.paused:
        return ""
    last = step.index == step.count
    after = "the candidate gets all of the traffic" if last else "the next step comes"
    if step.since is None:
        return f"Step {step.index} of {step.count} is being made; it counts once it is in effect."
    if step.until is not None and step.until > now:
        hold = _in(step.until, now)
        if _paused(story, step.index):
            return f"It waits for kubectl immutable promote {story.argument}{hold}; then {after}."
        return f"{_start(after)}{hold}, if every probe passes."
    if _paused(story, step.index):
        return f"kubectl immutable promote {story.argument}: {after}. Until then it stays so."
    return f"{_start(after)} now, if every probe passes."


def _paused(story: Story, index: int) -> bool:
    canary = story.release.spec.strategy.canary
    return canary is not None and index <= len(canary.steps) and canary.steps[index - 1].pause


def _start(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _in_flight(story: Story, now: datetime) -> str:
    status = story.release.status
    candidate = story.revision(status.candidate_revision)
    if candidate is None or status.phase is not ReleasePhase.PROGRESSING:
        return ""
    deadline = _when(candidate.status.started_at, story.release.spec.health.progress_deadline, now)
    proofs: dict[RevisionPhase, str] = {
        RevisionPhase.PENDING: "is started once its images are verified",
        RevisionPhase.STARTING: "is tested once all its Pods are ready",
        RevisionPhase.TESTING: "gets the traffic once its probes pass",
        RevisionPhase.SHIFTING: "gets all the traffic at the end of its steps",
    }
    proof = proofs.get(candidate.status.phase)
    if proof is None:
        return ""
    return f"{_called(story, candidate.metadata.name)} {proof}{_else(deadline)}."


def _settled(story: Story, now: datetime) -> str:
    """Nothing is to be done; what the guard would do."""
    status = story.release.status
    active = story.revision(status.active_revision)
    if status.phase is not ReleasePhase.ACTIVE or active is None:
        return ""
    good = status.known_good_revision
    back = (
        f"a failure sends the traffic back to {_called(story, good)}"
        if good
        else "a failure could go back nowhere: no other revision has served"
    )
    if active.status.good_since is None:
        baked = _baked(story, active)
        when = _in(baked, now) if baked and baked > now else " soon"
        return f"It counts as good{when}, if it stays healthy; {back}."
    return f"Nothing. It is watched, and {back}."


def _baked(story: Story, active: Revision) -> datetime | None:
    healthy = find_condition(active.status.conditions, "Healthy")
    since = active.status.active_since
    if healthy is None or healthy.status != "True" or since is None:
        return None
    bake = timedelta(seconds=story.release.spec.health.bake)
    return max(healthy.last_transition_time, since) + bake


def _called(story: Story, name: str) -> str:
    revision = story.revision(name)
    return f"#{revision.spec.number} {name}" if revision else name


def _when(since: datetime | None, seconds: float, now: datetime) -> str:
    """How long a deadline still is; nothing when it is past or unknown."""
    if since is None:
        return ""
    left = (since + timedelta(seconds=seconds) - now).total_seconds()
    return remaining(left) if left > 0 else ""


def _in(then: datetime, now: datetime) -> str:
    left = (then - now).total_seconds()
    return f" in {remaining(left)}" if left > 0 else " now"


def _by(left: str) -> str:
    return f", within {left}" if left else ""


def _else(left: str) -> str:
    return f", and fails if that takes longer than {left} from now" if left else ""


def remaining(seconds: float) -> str:
    """A time still to come: `45s`, `4m30s`, `2h`."""
    whole = max(1, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (0 if hours else seconds, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)
