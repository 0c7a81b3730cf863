"""`kubectl immutable promote`, `abort`, `rollback` and `retry`: ask, and wait for the answer.

Each is a ReleaseAction: who asked and why stays on record, and RBAC grants it apart from all else.
"""

import argparse
import asyncio

from immutablerelease.api.action import ActionKind, ActionPhase
from immutablerelease.api.base import format_duration, parse_duration
from immutablerelease.api.meta import API_VERSION
from immutablerelease.api.objects import Action
from immutablerelease.runtime.client import ACTIONS, Object
from immutablerelease.runtime.following import follow

from . import cluster, output
from .cluster import Cluster, Commands
from .errors import FAILED, UNKNOWN, Complaint
from .reading import read_release, read_revisions, understand

_PATIENCE = 300.0


def add_promote(commands: Commands) -> None:
    """Add `promote`."""
    parser = _add(
        commands,
        ActionKind.PROMOTE,
        "Let the tested candidate of a release have the traffic, or go to the next step.",
    )
    parser.add_argument(
        "--full", action="store_true", help="through all steps that are left, not only the next"
    )
    _add_candidate(parser)


def add_abort(commands: Commands) -> None:
    """Add `abort`."""
    parser = _add(
        commands,
        ActionKind.ABORT,
        "Stop the candidate of a release, or leave a revision that does not count as good yet.",
    )
    _add_candidate(parser)


def add_rollback(commands: Commands) -> None:
    """Add `rollback`."""
    parser = _add(
        commands,
        ActionKind.ROLLBACK,
        "Send the traffic back to an earlier revision, its configuration with it.",
    )
    parser.add_argument(
        "--to",
        dest="revision",
        metavar="REVISION",
        help="revision to go to, by name or number; without it, the known-good one",
    )


def add_retry(commands: Commands) -> None:
    """Add `retry`."""
    _add(
        commands,
        ActionKind.RETRY,
        "Try the revision of the present spec once more, after it was rejected, failed or was "
        "reverted.",
    )


def _add_candidate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--revision",
        metavar="REVISION",
        help="candidate that is meant, by name or number; another one is left alone",
    )


def _add(commands: Commands, kind: ActionKind, description: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(kind.lower(), description=description)
    parser.add_argument("release", metavar="RELEASE")
    parser.add_argument("--reason", default="", help="why; kept for the record")
    parser.add_argument(
        "--no-wait", dest="wait", action="store_false", help="ask, and do not wait for the answer"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=_PATIENCE,
        metavar="DURATION",
        help=f"how long to wait for the answer (default {format_duration(_PATIENCE)})",
    )
    output.add_options(parser)
    cluster.add_options(parser)
    parser.set_defaults(act=ask, action=kind, revision=None, full=False)
    return parser


async def ask(arguments: argparse.Namespace, cluster: Cluster) -> int:
    """Create the ReleaseAction; the exit code is its answer."""
    await read_release(cluster, arguments.release)
    revision = await _revision(cluster, arguments)
    spec = {
        "release": arguments.release,
        "action": str(arguments.action),
        "reason": arguments.reason,
        **({"revision": revision} if revision else {}),
        **({"full": True} if arguments.full else {}),
    }
    prefix = f"{arguments.release}-{arguments.action.lower()}-"
    created = await cluster.api.create(
        ACTIONS,
        cluster.namespace,
        {
            "apiVersion": API_VERSION,
            "kind": "ReleaseAction",
            "metadata": {"generateName": prefix, "namespace": cluster.namespace},
            "spec": spec,
        },
    )
    name = created["metadata"]["name"]
    _say(arguments, f"asked: {_request(arguments, revision)} (ReleaseAction {name})")
    answered = await _answer(cluster, arguments, name) if arguments.wait else created
    return _tell(arguments, answered)


async def _revision(cluster: Cluster, arguments: argparse.Namespace) -> str | None:
    """The revision that was named, also by its number alone."""
    wish: str | None = arguments.revision
    if wish is None or not wish.lstrip("#").isdecimal():
        return wish
    number = int(wish.lstrip("#"))
    for obj in await read_revisions(cluster, arguments.release):
        if obj["spec"]["number"] == number:
            return str(obj["metadata"]["name"])
    raise Complaint(
        f"{arguments.release} has no revision number {number}",
        f"kubectl immutable history {arguments.release} lists those that are kept",
    )


def _request(arguments: argparse.Namespace, revision: str | None) -> str:
    if revision is None:
        return f"{arguments.action} {arguments.release}"
    to = "to " if arguments.action is ActionKind.ROLLBACK else ""
    return f"{arguments.action} {arguments.release} {to}{revision}"


async def _answer(cluster: Cluster, arguments: argparse.Namespace, name: str) -> Object:
    """The action once it is answered; what the operator says meanwhile is told."""
    told = ""
    try:
        async with asyncio.timeout(arguments.timeout):
            async for found in follow(
                cluster.api, ACTIONS, cluster.namespace, fields=f"metadata.name={name}"
            ):
                if not found:
                    raise Complaint(f"ReleaseAction {name} was deleted before it was answered")
                action = understand(Action.read, found[0])
                if action.status.completed_at is not None:
                    return found[0]
                if action.status.message != told:
                    told = action.status.message
                    _say(arguments, f"under way: {told}")
    except TimeoutError:
        pass
    raise Complaint(
        f"no answer within {format_duration(arguments.timeout)}; it stays asked for",
        f"kubectl get releaseaction {name} -n {cluster.namespace} tells later; "
        "does the operator run?",
        UNKNOWN,
    )


def _tell(arguments: argparse.Namespace, obj: Object) -> int:
    action = understand(Action.read, obj)
    failed = action.status.phase is ActionPhase.FAILED
    if arguments.output != "text":
        output.dump(obj, arguments.output)
    elif arguments.wait:
        _say(arguments, f"{'refused' if failed else 'done'}: {action.status.message}")
    return FAILED if failed else 0


def _say(arguments: argparse.Namespace, text: str) -> None:
    """Word for a person; a program gets one answer, at the end."""
    if arguments.output == "text":
        print(output.plain(text), flush=True)


def _seconds(text: str) -> float:
    try:
        return float(parse_duration(text))  # type: ignore[arg-type]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
