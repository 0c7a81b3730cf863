"""Draws a release as a tree: traffic, conditions, revisions with their Pods, what happens next."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from immutablerelease.api.conditions import Condition, ConditionType, find_condition
from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.release import StepStatus, Workload
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.core.draft import IN_FLIGHT
from immutablerelease.core.signals import counted
from immutablerelease.core.snapshot import PodView

from .outlook import next_step, ready, remaining
from .output import STYLES, ago, brief, short, word
from .reading import Story, signers

_BAR = 24


def draw(story: Story, now: datetime, *, cropped: bool = False) -> Group:
    """The whole picture of one release; where its end may be cut off, what matters comes first."""
    body = (
        *section("Traffic", _traffic(story, now)),
        *section("Conditions", _conditions(story, now)),
        *section("Revisions", _revisions(story, now)),
    )
    if cropped:
        return Group(*head(story), _next(story, now), *body)
    return Group(*head(story), *body, Text(), _next(story, now))


def table(releases: Iterable[Release], now: datetime, *, namespaced: bool) -> Table:
    """Many releases, one a line."""
    made = grid(header=True)
    titles = ("RELEASE", "PHASE", "TRAFFIC", "READY", "AGE")
    for title in ("NAMESPACE", *titles) if namespaced else titles:
        made.add_column(title, no_wrap=True)
    made.add_column("WHY", overflow="fold")
    for release in releases:
        condition = find_condition(release.status.conditions, "Ready")
        cells: list[RenderableType] = [
            release.metadata.name,
            word(str(release.status.phase or "Pending")),
            _shares(release),
            f"{release.status.ready_replicas}/{wanted(release)}",
            ago(release.metadata.created, now),
            brief(condition.message) if condition else "the operator has not looked at it yet",
        ]
        made.add_row(*([release.metadata.namespace, *cells] if namespaced else cells))
    return made


def wanted(release: Release) -> int:
    """Pods that there are to be: a DaemonSet makes one for each node by itself."""
    by_node = release.spec.workload is Workload.DAEMON_SET
    return release.status.replicas if by_node else release.spec.replicas


def _shares(release: Release) -> str:
    shares = [f"{share.weight}% {share.revision}" for share in release.status.traffic]
    return "\n".join(shares) or "none"


def head(story: Story) -> Iterator[RenderableType]:
    """The release and its phase, and under it why."""
    release = story.release
    phase = str(release.status.phase or "Pending")
    yield Text.assemble(
        Text(story.name, style="bold"),
        Text("  "),
        Text(phase, style=f"bold {STYLES.get(phase, '')}".strip()),
        Text(f"  in namespace {release.metadata.namespace}", style="dim"),
    )
    yield Text(brief(_headline(story)))


def _headline(story: Story) -> str:
    condition = ready(story)
    return condition.message if condition else "the operator has not looked at it yet"


def section(title: str, body: RenderableType | None) -> Iterator[RenderableType]:
    """A part with a title; nothing where there is nothing to show."""
    if body is not None:
        yield Text()
        yield Text(title, style="bold")
        yield indented(body, 2)


def _traffic(story: Story, now: datetime) -> RenderableType:
    shares = story.release.status.traffic
    if not shares:
        return Text("none: nothing serves yet", style="dim")
    bars = grid()
    bars.add_column(justify="right")
    bars.add_column()
    bars.add_column()
    for share in shares:
        filled = round(share.weight * _BAR / 100)
        bar = Text("█" * filled, style="green").append("░" * (_BAR - filled), style="dim")
        bars.add_row(f"{share.weight}%", bar, _name(story, share.revision))
    step = story.release.status.step
    if step is None:
        return bars
    return Group(bars, Text(_step(step, now), style="dim"))


def _step(step: StepStatus, now: datetime) -> str:
    told = f"step {step.index} of {step.count}: {step.weight}% to the candidate"
    if step.since is None:
        return f"{told}, not in effect yet"
    left = (step.until - now).total_seconds() if step.until else 0
    return f"{told}, {remaining(left)} left" if left > 0 else told


def _conditions(story: Story, now: datetime) -> RenderableType | None:
    rows = grid()
    for _ in range(3):
        rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True, justify="right", style="dim")
    rows.add_column(overflow="fold")
    headline = _headline(story)
    for condition in sorted(story.release.status.conditions, key=_place):
        good, bad = ("False", "True") if condition.type == "Stalled" else ("True", "False")
        style = {good: "green", bad: "red"}.get(condition.status, "yellow")
        rows.add_row(
            condition.type,
            Text(condition.status, style=style),
            condition.reason,
            ago(condition.last_transition_time, now),
            brief(condition.message) if condition.message != headline else "",
        )
    return rows if rows.row_count else None


def _place(condition: Condition) -> int:
    """Where a condition is listed: first the whole, then its parts."""
    known = list(ConditionType)
    return known.index(ConditionType(condition.type)) if condition.type in known else len(known)


def _revisions(story: Story, now: datetime) -> RenderableType:
    shown = [revision for revision in story.revisions if _matters(story, revision)]
    if not story.revisions:
        return Text("none recorded yet", style="dim")
    parts: list[RenderableType] = []
    for revision in shown:
        parts += _revision(story, revision, now)
    hidden = len(story.revisions) - len(shown)
    if hidden:
        parts.append(
            Text(f"and {hidden} more: kubectl immutable history {story.argument}", style="dim")
        )
    return Group(*parts)


def _matters(story: Story, revision: Revision) -> bool:
    """Whether it serves, may serve, or is what the spec stands for."""
    status, name = story.release.status, revision.metadata.name
    named = (
        status.active_revision,
        status.candidate_revision,
        status.known_good_revision,
        story.wanted.metadata.name if story.wanted else None,
        *(share.revision for share in status.traffic),
    )
    return name in named or bool(story.pods.get(name))


def _revision(story: Story, revision: Revision, now: datetime) -> Iterator[RenderableType]:
    name, status = revision.metadata.name, revision.status
    yield title(revision, _role(story, name))
    rows = facts(revision)
    # What is wrong with what the spec asks for is what the first lines say.
    if status.message and status.message not in _headline(story):
        rows.add_row("why", brief(status.message))
    healthy = find_condition(status.conditions, "Healthy")
    if healthy is not None and status.phase in IN_FLIGHT | {RevisionPhase.ACTIVE}:
        rows.add_row("health", brief(healthy.message))
    rows.add_row("Pods", _pods(story, revision, now))
    yield indented(rows, 3)


def title(revision: Revision, remark: str) -> Text:
    """The first line about a revision."""
    return Text.assemble(
        Text(f"#{revision.spec.number} ", style="dim"),
        Text(revision.metadata.name, style="bold"),
        Text("  "),
        word(str(revision.status.phase)),
        Text(f"  {remark}", style="dim"),
    )


def facts(revision: Revision) -> Table:
    """What a revision is: its images and who signed them, in two columns, to be added to."""
    rows = grid()
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    for image in revision.spec.images:
        digest = short(image.image.rpartition("@")[2])
        # Where there are several, the name tells which is which.
        of = f"  {image.container}" if len(revision.spec.images) > 1 else ""
        rows.add_row("image", Text(image.source).append(f"  {digest}{of}", style="dim"))
    verification = revision.status.verification
    if verification is None:
        rows.add_row("verdict", Text("not verified yet", style="yellow"))
        return rows
    signed = signers(verification.evidence)
    reason = f", signed by {signed}" if signed else f", {verification.reason}"
    rows.add_row("verdict", word(verification.verdict).append(reason, style="default"))
    if refusal := revision.status.refusal:
        rows.add_row("by now", word("Refused").append(f", {refusal.reason}", style="default"))
    if verification.source is not None:
        source = verification.source
        rows.add_row("source", f"{source.repository} at {source.commit[:12]}")
    return rows


def _role(story: Story, name: str) -> str:
    status = story.release.status
    roles = {
        "serves": status.active_revision,
        "candidate": status.candidate_revision,
        "a revert goes here": status.known_good_revision,
    }
    held = [role for role, holder in roles.items() if holder == name]
    if not held and story.wanted is not None and story.wanted.metadata.name == name:
        return "what the spec asks for"
    return ", ".join(held)


def _pods(story: Story, revision: Revision, now: datetime) -> RenderableType:
    if not story.pods_known:
        return f"{revision.status.ready_replicas} ready (you may not list Pods)"
    pods = story.pods.get(revision.metadata.name, ())
    if not pods:
        return "none"
    rows = grid()
    for _ in range(3):
        rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold", style="dim")
    for pod in pods:
        restarts = sum(container.restarts for container in pod.containers)
        rows.add_row(
            pod.name,
            _readiness(pod),
            counted(restarts),
            _trouble(pod) or ago(pod.created, now),
        )
    return rows


def _readiness(pod: PodView) -> Text:
    if pod.deleting:
        return Text("leaving", style="dim")
    return Text("ready", style="green") if pod.ready else Text("not ready", style="yellow")


def _trouble(pod: PodView) -> str:
    if pod.unschedulable:
        return f"no node takes it: {pod.unschedulable}"
    for container in pod.containers:
        if container.waiting or container.terminated:
            words = (container.waiting, container.terminated, container.message)
            return f"{container.name}: " + ", ".join(text for text in words if text)
    return ""


def _name(story: Story, name: str) -> Text:
    revision = story.revision(name)
    number = f"#{revision.spec.number} " if revision else ""
    return Text(number, style="dim").append(name, style="default")


def indented(body: RenderableType, by: int) -> RenderableType:
    """A body further to the right."""
    return Padding(body, (0, 0, 0, by), expand=False)


def grid(*, header: bool = False) -> Table:
    """Columns without lines around them."""
    return Table(
        box=box.SIMPLE_HEAD if header else None,
        show_header=header,
        header_style="dim",
        show_edge=False,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )


def _next(story: Story, now: datetime) -> Table:
    rows = grid()
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    rows.add_row(Text("Next", style="bold"), next_step(story, now))
    return rows
