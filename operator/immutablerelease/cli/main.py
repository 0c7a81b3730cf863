"""Entry point of `kubectl immutable`; each command is a module of its own."""

import argparse
import sys
from collections.abc import Sequence

from . import verify


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 for yes, 1 for no, 2 for a call that makes no sense, 3 for not known.
    """
    parser = argparse.ArgumentParser(
        prog="kubectl immutable",
        description="Verified, immutable, self-reverting releases.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    verify.add_to(commands)
    chosen = parser.parse_args(arguments)
    code: int = chosen.run(chosen)
    return code


def run() -> None:
    """Console script."""
    sys.exit(main())
