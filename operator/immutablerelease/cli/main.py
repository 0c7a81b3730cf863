"""Entry point of `kubectl immutable`; each command is a module, loaded only when it is called.

So is all that it takes to speak to a cluster: help and completion are there at once.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cluster import Connect

PROGRAM = "kubectl immutable"
# As shells have it: 128 and the number of the signal.
INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """Where a command lives."""

    module: str
    help: str
    adder: str = "add_to"


COMMANDS: Mapping[str, Command] = {
    "status": Command("status", "show a release as it is, and what happens next"),
    "history": Command("history", "list the revisions of a release and what became of them"),
    "explain": Command("explain", "say why a release is in its state, and what would change it"),
    "diff": Command("diff", "show what differs between two revisions of a release"),
    "promote": Command("asking", "let the tested candidate have the traffic", "add_promote"),
    "abort": Command("asking", "stop what is in flight; what served before serves", "add_abort"),
    "rollback": Command("asking", "go back to an earlier revision", "add_rollback"),
    "retry": Command("asking", "try a refused or failed revision once more", "add_retry"),
    "verify": Command("verify", "say whether policies would let an image run, and who signed it"),
    "completion": Command("completion", "print what has a shell complete these words"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 for yes, 1 for no, 2 for a call that makes no sense, 3 for not known.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    chosen = build_parser(words).parse_args(words)
    try:
        if "act" in chosen:
            return _run(chosen)
        code: int = chosen.run(chosen)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def build_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, complete for the command among these words and without options for all others."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Verified, immutable, self-reverting releases.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    called = next((word for word in words if word in COMMANDS), "")
    for name, command in COMMANDS.items():
        if name == called:
            add = getattr(import_module(f".{command.module}", __package__), command.adder)
            add(commands)
        else:
            commands.add_parser(name, help=command.help)
    return parser


def _run(chosen: argparse.Namespace) -> int:
    import asyncio

    from .cluster import connect

    return asyncio.run(act(chosen, connect))


async def act(chosen: argparse.Namespace, connect: "Connect") -> int:
    """Run a command that needs a cluster; the exit code."""
    from immutablerelease.runtime.client import ApiError

    from .errors import Complaint, complaint

    try:
        async with connect(chosen) as cluster:
            try:
                code: int = await chosen.act(chosen, cluster)
            except ApiError as error:
                raise complaint(error, cluster.namespace) from error
    except Complaint as error:
        _complain(str(error), error.advice)
        return error.code
    return code


def _complain(sentence: str, advice: str) -> None:
    from .output import plain

    print(plain(f"{PROGRAM}: {sentence}"), file=sys.stderr)
    if advice:
        print(plain(f"{'':{len(PROGRAM)}}  {advice}"), file=sys.stderr)


def run() -> None:
    """Console script."""
    sys.exit(main())
