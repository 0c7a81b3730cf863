"""`kubectl immutable status`: a release as it is now, and what happens next."""

import argparse
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from immutablerelease.api.objects import Release, Revision
from immutablerelease.core.snapshot import PodView
from immutablerelease.runtime.client import RELEASES

from . import cluster, output
from .cluster import Cluster, Commands
from .outlook import next_step
from .reading import Story, read_story, signers, understand


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
    output.add_options(parser)
    cluster.add_options(parser)
    parser.set_defaults(act=show)


async def show(arguments: argparse.Namespace, cluster: Cluster) -> int:
    """Print the status."""
    if arguments.release is None:
        return await _all(arguments, cluster)
    story = await read_story(cluster, arguments.release)
    now = cluster.clock()
    if arguments.output != "text":
        output.dump(wire(story, now), arguments.output)
    else:
        from .tree import draw

        output.show(draw(story, now))
    return 0


async def _all(arguments: argparse.Namespace, cluster: Cluster) -> int:
    namespace = None if arguments.all_namespaces else cluster.namespace
    objects = await cluster.api.list(RELEASES, namespace)
    releases = [understand(Release.read, obj) for obj in objects]
    releases.sort(key=lambda item: (item.metadata.namespace, item.metadata.name))
    if arguments.output != "text":
        output.dump([summary(release) for release in releases], arguments.output)
    elif not releases:
        print(f"no releases in {f'namespace {namespace}' if namespace else 'any namespace'}")
    else:
        from .tree import table

        output.show(table(releases, cluster.clock(), namespaced=namespace is None))
    return 0


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
        "replicas": release.spec.replicas,
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
