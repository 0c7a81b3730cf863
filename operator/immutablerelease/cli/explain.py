"""`kubectl immutable explain`: why is a release in this state, and what would change it?"""

import argparse
import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from immutablerelease.api.conditions import find_condition
from immutablerelease.api.objects import Action
from immutablerelease.runtime.client import ACTIONS, EVENTS, Forbidden, Object

from . import cluster, output
from .cluster import Cluster, Commands
from .outlook import explained, next_step, ready
from .output import ago, brief
from .reading import Story, read_story, understand

if TYPE_CHECKING:
    from rich.console import RenderableType

# Enough to see how it came to this, few enough to be read.
_RECENT = 6


@dataclass(frozen=True)
class Cause:
    """One reason for the state of a release, with what it means and what would change it."""

    about: str
    reason: str
    message: str
    why: str
    then: str


@dataclass(frozen=True)
class Happened:
    """Something that was asked for or told."""

    at: datetime
    what: str
    text: str


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "explain", description="Say why a release is in its state, and what would change it."
    )
    parser.add_argument("release", metavar="RELEASE")
    output.add_options(parser)
    cluster.add_options(parser)
    parser.set_defaults(act=show)


async def show(arguments: argparse.Namespace, cluster: Cluster) -> int:
    """Print the explanation."""
    story, happened = await asyncio.gather(
        read_story(cluster, arguments.release), _recent(cluster, arguments.release)
    )
    now = cluster.clock()
    found = list(causes(story))
    if arguments.output != "text":
        output.dump(_wire(story, found, happened, now), arguments.output)
    else:
        output.show(_draw(story, found, happened, now))
    return 0


def causes(story: Story) -> Iterator[Cause]:
    """Every reason that plays a part: of the release, of the failure, of images, of health."""
    seen: set[str] = set()
    for about, reason, message, revision in _reasons(story):
        if reason not in seen:
            seen.add(reason)
            told = explained(story, reason, revision)
            yield Cause(about, reason, message, told.why, told.then)


def _reasons(story: Story) -> Iterator[tuple[str, str, str, str | None]]:
    status = story.release.status
    condition = ready(story)
    if condition is None:
        yield story.name, "Pending", "the operator has not looked at it yet", None
        return
    yield story.name, condition.reason, condition.message, _subject(story)
    wanted = story.wanted
    if wanted is not None and wanted.status.failure is not None:
        name, failure = wanted.metadata.name, wanted.status.failure
        yield name, failure.reason, failure.message, name
        # What made the operator revert comes first in its message; others end in words of people.
        deeper, colon, rest = failure.message.partition(": ")
        if failure.reason == "Reverted" and colon and deeper.isidentifier():
            yield name, deeper, rest, name
    for type_, holder in (
        ("Verified", wanted.metadata.name if wanted else None),
        ("Healthy", status.active_revision),
    ):
        found = find_condition(status.conditions, type_)
        if found is not None and found.status != "True" and found.reason != "Pending":
            yield holder or story.name, found.reason, found.message, holder


def _subject(story: Story) -> str | None:
    """The revision that the first condition of a release speaks of."""
    status = story.release.status
    stands = story.wanted.metadata.name if story.wanted else None
    if str(status.phase) == "Degraded":
        return status.active_revision
    return status.candidate_revision or stands


async def _recent(cluster: Cluster, release: str) -> list[Happened]:
    """What was asked for and what was told, the newest first."""
    actions, events = await asyncio.gather(
        cluster.api.list(ACTIONS, cluster.namespace), _events(cluster, release)
    )
    asked = [obj for obj in actions if obj["spec"]["release"] == release]
    happened = [*_asked(asked), *_told(events)]
    return sorted(happened, key=lambda item: item.at, reverse=True)[:_RECENT]


async def _events(cluster: Cluster, release: str) -> list[Object]:
    """Events of the release; none for who may not read them."""
    fields = f"regarding.kind=ImmutableRelease,regarding.name={release}"
    try:
        return (await cluster.api.survey(EVENTS, cluster.namespace, fields=fields))[0]
    except Forbidden:
        return []


def _asked(actions: Iterable[Object]) -> Iterator[Happened]:
    for obj in actions:
        action = understand(Action.read, obj)
        at = action.status.completed_at or action.metadata.created
        if at is not None:
            reason = f" ({action.spec.reason})" if action.spec.reason else ""
            answer = action.status.message or "not answered yet"
            yield Happened(at, f"asked: {action.spec.action}{reason}", answer)


def _told(events: Iterable[Object]) -> Iterator[Happened]:
    for event in events:
        last = (event.get("series") or {}).get("lastObservedTime") or event.get("eventTime")
        if last:
            at = datetime.fromisoformat(last)
            yield Happened(at, event.get("reason", ""), event.get("note", ""))


def _wire(
    story: Story, found: list[Cause], happened: list[Happened], now: datetime
) -> dict[str, Any]:
    return {
        "namespace": story.release.metadata.namespace,
        "release": story.name,
        "phase": str(story.release.status.phase or "Pending"),
        "causes": [vars(cause) for cause in found],
        "serves": _serves(story, now),
        "next": next_step(story, now),
        "recent": [{**vars(item), "at": item.at.isoformat()} for item in happened],
    }


def _serves(story: Story, now: datetime) -> str:
    active = story.revision(story.release.status.active_revision)
    if active is None:
        return "Nothing serves."
    since = ago(active.status.active_since, now)
    good = (
        "it counts as good"
        if active.status.good_since
        else "it does not count as good yet, so one failing Pod is enough to leave it"
    )
    back = story.revision(story.release.status.known_good_revision)
    to = f"a revert would go to #{back.spec.number} {back.metadata.name}" if back else ""
    return (
        f"#{active.spec.number} {active.metadata.name} for {since}; "
        + "; ".join(part for part in (good, to) if part)
        + "."
    )


def _draw(
    story: Story, found: list[Cause], happened: list[Happened], now: datetime
) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from .tree import grid, head, section

    causes = grid()
    causes.add_column(no_wrap=True)
    causes.add_column(overflow="fold")
    for cause in found:
        told = "" if cause.message in found[0].message else f"{brief(cause.message)}\n"
        causes.add_row(cause.reason, Text(told, style="dim").append(cause.why, style="default"))
    ways = dict.fromkeys(cause.then for cause in found if cause.then)
    then = next_step(story, now)
    recent = grid()
    recent.add_column(no_wrap=True, justify="right", style="dim")
    recent.add_column(overflow="fold")
    recent.add_column(overflow="fold")
    for item in happened:
        recent.add_row(f"{ago(item.at, now)} ago", item.what, brief(item.text))
    parts: list[RenderableType] = [
        *head(story),
        *section("Why", causes),
        *section("What serves", Text(_serves(story, now))),
        *section("What happens next", Text(then) if then not in ways else None),
        *section("What would change it", Text("\n".join(ways)) if ways else None),
        *section("Lately", recent if happened else None),
    ]
    return Group(*parts)
