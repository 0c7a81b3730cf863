"""`kubectl immutable history`: every revision that is kept, and what became of it."""

import argparse
from datetime import datetime
from typing import Any

from immutablerelease.api.objects import Revision

from . import cluster, output
from .cluster import Cluster, Commands
from .output import ago, brief
from .reading import by_number, read_release, read_revisions, signers


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "history", description="List the revisions of a release, the newest first."
    )
    parser.add_argument("release", metavar="RELEASE")
    output.add_options(parser)
    cluster.add_options(parser)
    parser.set_defaults(act=show)


async def show(arguments: argparse.Namespace, cluster: Cluster) -> int:
    """Print the history."""
    await read_release(cluster, arguments.release)
    revisions = by_number(await read_revisions(cluster, arguments.release))
    if arguments.output != "text":
        output.dump([wire(revision) for revision in revisions], arguments.output)
    elif not revisions:
        print(f"{arguments.release} has no revisions yet")
    else:
        _draw(revisions, cluster.clock())
    return 0


def wire(revision: Revision) -> dict[str, Any]:
    """For programs."""
    status = revision.status
    told = status.wire()
    return {
        "number": revision.spec.number,
        "name": revision.metadata.name,
        "phase": str(status.phase),
        "message": status.message,
        "images": [image.wire() for image in revision.spec.images],
        "signers": signers(status.verification.evidence) if status.verification else "",
        "source": told.get("verification", {}).get("source"),
        "activeSince": told.get("activeSince"),
        "goodSince": told.get("goodSince"),
        "leftAt": told.get("leftAt"),
        "failure": told.get("failure"),
        "refusal": told.get("refusal"),
    }


def _draw(revisions: tuple[Revision, ...], now: datetime) -> None:
    from rich.console import Group, RenderableType

    from .tree import facts, indented, title

    parts: list[RenderableType] = []
    for revision in revisions:
        rows = facts(revision)
        if revision.status.message:
            rows.add_row("why", brief(revision.status.message))
        parts += [title(revision, _served(revision, now)), indented(rows, 3)]
    output.show(Group(*parts))


def _served(revision: Revision, now: datetime) -> str:
    status = revision.status
    if status.active_since is None:
        return "never served"
    if status.left_at is None:
        return f"serves for {ago(status.active_since, now)}"
    served = ago(status.active_since, status.left_at)
    return f"served for {served}, left {ago(status.left_at, now)} ago"
