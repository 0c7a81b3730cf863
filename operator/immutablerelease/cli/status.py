"""`kubectl immutable status`: a release as it is now, and what happens next."""

import argparse
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.console import RenderableType

from immutablerelease.api.objects import Release, Revision
from immutablerelease.core.snapshot import PodView
from immutablerelease.runtime.client import PODS, RELEASES, REVISIONS, Object

from . import cluster, output
from .cluster import Cluster, Commands
from .outlook import next_step
from .reading import Story, read_story, signers, tell, understand
from .tree import draw, table, wanted
from .watching import Board, Interest, of_release, one, watch


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "status", description="Show one release as it is, or all of them in a table."
    )
    parser.add_argument(
        "release", metavar="RELEASE", nargs="?", help="release; without it, all of the namespace"
    )
    parser.add_argument(
        "-A", "--all-namespaces", action="store_true", help="releases of all namespaces"
    )
    parser.add_argument(
        "-w", "--watch", action="store_true", help="draw it anew at every change, until Ctrl-C"
    )
    output.add_options(parser)
    cluster.add_options(parser)
    parser.set_defaults(act=show)


async def show(arguments: argparse.Namespace, cluster: Cluster) -> int:
    """Print the status."""
    if arguments.release is None:
        return await _all(arguments, cluster)
    name = arguments.release
    if arguments.watch:
        return await watch(
            cluster,
            of_release(cluster.namespace, name),
            form=arguments.output,
            wire=lambda board: wire(_story(board, name, cluster), cluster.clock()),
            draw=lambda board: draw(
                _story(board, name, cluster), cluster.clock(), cropped=sys.stdout.isatty()
            ),
        )
    story = await read_story(cluster, name)
    if arguments.output != "text":
        output.dump(wire(story, cluster.clock()), arguments.output)
    else:
        output.show(draw(story, cluster.clock()))
    return 0


def _story(board: Board, name: str, cluster: Cluster) -> Story:
    return tell(one(board, name), board[REVISIONS] or (), board[PODS], cluster.place)


async def _all(arguments: argparse.Namespace, cluster: Cluster) -> int:
    namespace = None if arguments.all_namespaces else cluster.namespace
    if arguments.watch:
        return await watch(
            cluster,
            (Interest(RELEASES, namespace),),
            form=arguments.output,
            wire=lambda board: [summary(item) for item in _sorted(board[RELEASES] or ())],
            draw=lambda board: _draw_all(board[RELEASES] or (), namespace, cluster.clock()),
        )
    objects = await cluster.api.list(RELEASES, namespace)
    if arguments.output != "text":
        output.dump([summary(release) for release in _sorted(objects)], arguments.output)
    else:
        output.show(_draw_all(objects, namespace, cluster.clock()))
    return 0


def _sorted(objects: Iterable[Object]) -> list[Release]:
    releases = [understand(Release.read, obj) for obj in objects]
    return sorted(releases, key=lambda item: (item.metadata.namespace, item.metadata.name))


def _draw_all(objects: Iterable[Object], namespace: str | None, now: datetime) -> RenderableType:
    releases = _sorted(objects)
    if not releases:
        return f"no releases in {f'namespace {namespace}' if namespace else 'any namespace'}"
    return table(releases, now, namespaced=namespace is None)


def summary(release: Release) -> dict[str, Any]:
    """One release of many, for programs."""
    status = release.status.wire()
    return {
        "namespace": release.metadata.namespace,
        "release": release.metadata.name,
        "phase": status.get("phase"),
        "activeRevision": status.get("activeRevision"),
        "candidateRevision": status.get("candidateRevision"),
        "knownGoodRevision": status.get("knownGoodRevision"),
        "traffic": status["traffic"],
        "workload": str(release.spec.workload),
        "replicas": wanted(release),
        "readyReplicas": status["readyReplicas"],
        "conditions": status["conditions"],
    }


def wire(story: Story, now: datetime) -> dict[str, Any]:
    """One release with all that belongs to it, for programs."""
    step = story.release.status.step
    return {
        **summary(story.release),
        "step": step.wire() if step else None,
        "next": next_step(story, now),
        "revisions": [_revision(revision, story.pods) for revision in story.revisions],
    }


def _revision(revision: Revision, pods: Mapping[str, tuple[PodView, ...]]) -> dict[str, Any]:
    status = revision.status
    verification = status.verification
    return {
        "number": revision.spec.number,
        "name": revision.metadata.name,
        "phase": str(status.phase),
        "message": status.message,
        "images": [image.wire() for image in revision.spec.images],
        "verdict": verification.verdict if verification else None,
        "signers": signers(verification.evidence) if verification else "",
        "readyReplicas": status.ready_replicas,
        "conditions": [condition.wire() for condition in status.conditions],
        "pods": [
            {
                "name": pod.name,
                "ready": pod.ready,
                "restarts": sum(container.restarts for container in pod.containers),
                "deleting": pod.deleting,
            }
            for pod in pods.get(revision.metadata.name, ())
        ],
    }
