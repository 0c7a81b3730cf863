"""`kubectl immutable diff`: what differs between two revisions: images, configuration, template,
ports and probes.

Values of Secrets are never shown, only which of their keys differ.
"""

import argparse
import asyncio
import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.revision import FrozenConfig, ResolvedImage
from immutablerelease.immutability.config import rewrite
from immutablerelease.runtime.client import (
    CONFIG_MAPS,
    SECRETS,
    Forbidden,
    NotFound,
    Object,
)

from . import cluster, output
from .cluster import Cluster, Commands
from .errors import Complaint
from .output import short
from .reading import by_number, read_release, read_revisions

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text


@dataclass(frozen=True)
class ImageChange:
    """The image of one container in both; None where it has none."""

    container: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class KeyChange:
    """A key of a frozen ConfigMap or Secret; values only of ConfigMaps."""

    object: str
    key: str
    change: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class Difference:
    """All that differs."""

    images: tuple[ImageChange, ...]
    config: tuple[KeyChange, ...]
    template: tuple[str, ...]
    terms: tuple[str, ...]

    @property
    def found(self) -> bool:
        """Whether anything does."""
        return bool(self.images or self.config or self.template or self.terms)


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "diff",
        description="Show what differs between two revisions. Without any, between the active one "
        "and the candidate, or else the one before; with one, between it and the active one.",
    )
    parser.add_argument("release", metavar="RELEASE")
    parser.add_argument("before", metavar="REV_A", nargs="?", help="by name or number")
    parser.add_argument("after", metavar="REV_B", nargs="?", help="by name or number")
    output.add_options(parser)
    cluster.add_options(parser)
    parser.set_defaults(act=show)


async def show(arguments: argparse.Namespace, cluster: Cluster) -> int:
    """Print the differences."""
    release = await read_release(cluster, arguments.release)
    revisions = by_number(await read_revisions(cluster, arguments.release))
    before, after = chosen(release, revisions, arguments.before, arguments.after)
    difference = await compare(cluster, release, before, after)
    if arguments.output != "text":
        output.dump(_wire(before, after, difference), arguments.output)
    else:
        output.show(_draw(before, after, difference))
    return 0


def chosen(
    release: Release, revisions: tuple[Revision, ...], first: str | None, second: str | None
) -> tuple[Revision, Revision]:
    """Which two are meant, the older state first; raises Complaint when there are no two."""
    if first is not None and second is not None:
        return _find(release, revisions, first), _find(release, revisions, second)
    active = next(
        (item for item in revisions if item.metadata.name == release.status.active_revision), None
    )
    if active is None:
        raise Complaint(
            f"nothing of {release.metadata.name} serves to compare with",
            f"name two revisions of kubectl immutable history {release.metadata.name}",
        )
    if first is not None:
        return active, _find(release, revisions, first)
    candidate = release.status.candidate_revision
    if candidate is not None:
        return active, _find(release, revisions, candidate)
    left = [
        (item.status.left_at, item)
        for item in revisions
        if item is not active and item.status.left_at is not None
    ]
    if not left:
        raise Complaint(
            f"{active.metadata.name} is the only revision of {release.metadata.name} that served",
            "there is no other to compare with by itself; name two",
        )
    return max(left, key=lambda pair: pair[0])[1], active


def _find(release: Release, revisions: tuple[Revision, ...], wish: str) -> Revision:
    number = wish.lstrip("#")
    for item in revisions:
        if wish == item.metadata.name or number == str(item.spec.number):
            return item
    raise Complaint(
        f"{release.metadata.name} has no revision {wish}",
        f"kubectl immutable history {release.metadata.name} lists those that are kept",
    )


async def compare(
    cluster: Cluster, release: Release, before: Revision, after: Revision
) -> Difference:
    """Everything that differs between two revisions."""
    return Difference(
        tuple(_images(before, after)),
        tuple(await _config(cluster, before, after)),
        tuple(_lines(before, after, _templates(before), _templates(after))),
        tuple(_lines(before, after, _terms(release, before), _terms(release, after))),
    )


def _images(before: Revision, after: Revision) -> Iterator[ImageChange]:
    old, new = ({_use(image): image for image in item.spec.images} for item in (before, after))
    for use in sorted(old.keys() | new.keys()):
        left, right = old.get(use), new.get(use)
        if left is None or right is None or left.image != right.image:
            yield ImageChange(use, _shown(left), _shown(right))


def _use(image: ResolvedImage) -> str:
    kind = "volume" if image.volume else "init container" if image.init else "container"
    return f"{kind} {image.container}{f' of job {image.job}' if image.job else ''}"


def _shown(image: ResolvedImage | None) -> str | None:
    return f"{image.source} {image.image.rpartition('@')[2]}" if image else None


async def _config(cluster: Cluster, before: Revision, after: Revision) -> list[KeyChange]:
    old, new = ({(c.kind, c.source): c for c in item.spec.config} for item in (before, after))
    pairs = [
        (key, old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    found = await asyncio.gather(
        *(_keys(cluster, f"{kind}/{source}", a, b) for (kind, source), a, b in pairs)
    )
    return [change for changes in found for change in changes]


async def _keys(
    cluster: Cluster, named: str, before: FrozenConfig | None, after: FrozenConfig | None
) -> list[KeyChange]:
    try:
        old, new = await asyncio.gather(_data(cluster, before), _data(cluster, after))
    except Forbidden:
        return [KeyChange(named, "", "differs; you may not read which keys")]
    except NotFound:
        return [KeyChange(named, "", "differs; a frozen copy is gone")]
    secret = named.startswith("Secret/")
    changes = []
    for key in sorted(old.keys() | new.keys()):
        left, right = old.get(key), new.get(key)
        if left != right:
            change = "added" if left is None else "removed" if right is None else "changed"
            values = (None, None) if secret else (left, right)
            changes.append(KeyChange(named, key, change, *values))
    return changes


async def _data(cluster: Cluster, config: FrozenConfig | None) -> Mapping[str, str]:
    """Contents of a frozen copy, those of binary keys in base64."""
    if config is None:
        return {}
    kind = CONFIG_MAPS if config.kind == "ConfigMap" else SECRETS
    obj: Object = await cluster.api.get(kind, cluster.namespace, config.name)
    return {**(obj.get("data") or {}), **(obj.get("binaryData") or {})}


def _lines(before: Revision, after: Revision, old: object, new: object) -> Iterator[str]:
    """A unified diff of both as stable YAML; nothing where one of them is not known."""
    if old is None or new is None:
        return
    names = (before.metadata.name, after.metadata.name)
    yield from difflib.unified_diff(_yaml(old), _yaml(new), *names, lineterm="")


def _yaml(part: object) -> list[str]:
    import yaml

    text = yaml.safe_dump(part, sort_keys=True, allow_unicode=True, width=math.inf)
    return str(text).splitlines()


def _templates(revision: Revision) -> object:
    """That of the Pods, with those of jobs; images and configuration by the names of their authors.

    How they differ is told apart from it, and better than by two digests.
    """
    originals = [
        FrozenConfig(kind=item.kind, source=item.name, name=item.source)
        for item in revision.spec.config
    ]
    images = {item.image: item.source for item in revision.spec.images}
    pods, *jobs = (
        _renamed(rewrite(template, originals), images)
        for template in (revision.spec.template, *(job.template for job in revision.spec.jobs))
    )
    names = [job.name for job in revision.spec.jobs]
    return {**pods, "jobs": dict(zip(names, jobs, strict=True))} if jobs else pods


def _terms(release: Release, revision: Revision) -> object:
    """Ports and probes: of the spec while it stands for the revision, then the last it had."""
    source = release.status.source
    if source is not None and source.revision == revision.metadata.name:
        ports, probes = release.spec.service.ports, release.spec.health.probes
    elif revision.status.ports:
        ports, probes = revision.status.ports, revision.status.probes
    else:
        return None
    return {
        "ports": [port.wire() for port in ports],
        "probes": [probe.recorded.wire() for probe in probes],
    }


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    """A part of a template with these strings in place of those."""
    if isinstance(part, Mapping):
        return {key: _renamed(value, names) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_renamed(value, names) for value in part]
    return names.get(part, part) if isinstance(part, str) else part


def _wire(before: Revision, after: Revision, difference: Difference) -> dict[str, Any]:
    return {
        "before": before.metadata.name,
        "after": after.metadata.name,
        "images": [vars(change) for change in difference.images],
        "config": [
            {key: value for key, value in vars(change).items() if value is not None}
            for change in difference.config
        ],
        "template": list(difference.template),
        "portsAndProbes": list(difference.terms),
    }


def _draw(before: Revision, after: Revision, difference: Difference) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from .tree import section, title

    parts: list[RenderableType] = [
        Text("- ", style="red").append_text(title(before, "")),
        Text("+ ", style="green").append_text(title(after, "")),
    ]
    if not difference.found:
        parts.append(Text("\nThe same images, configuration, template, ports and probes."))
    parts += section("Images", _draw_images(difference.images))
    parts += section("Configuration", _draw_config(difference.config))
    for name, diff in (
        ("Template", difference.template),
        ("Ports and probes", difference.terms),
    ):
        lines = [_line(line) for line in diff[2:]]
        parts += section(name, Text("\n").join(lines) if lines else None)
    return Group(*parts)


def _draw_images(changes: tuple[ImageChange, ...]) -> "RenderableType | None":
    from rich.text import Text

    lines = []
    for change in changes:
        lines.append(Text(change.container, style="dim"))
        for sign, image in (("-", change.before), ("+", change.after)):
            if image is not None:
                source, _, digest = image.partition(" ")
                lines.append(_line(f"{sign} {source}  ").append(short(digest), style="bold"))
    return Text("\n").join(lines) if lines else None


def _draw_config(changes: tuple[KeyChange, ...]) -> "RenderableType | None":
    from rich.text import Text

    lines = []
    for change in changes:
        lines.append(
            Text(f"{change.object} ", style="dim")
            .append(f"{change.key} " if change.key else "", style="bold")
            .append(change.change, style="default")
        )
        old, new = ((text or "").splitlines() for text in (change.before, change.after))
        lines += [_line(line) for line in list(difflib.unified_diff(old, new, lineterm=""))[2:]]
    return Text("\n").join(lines) if lines else None


def _line(text: str) -> "Text":
    """A line of a unified diff in its colour."""
    from rich.text import Text

    styles = {"+": "green", "-": "red", "@": "cyan"}
    return Text(text, style=styles.get(text[:1], ""))
