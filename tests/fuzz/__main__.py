"""Fuzzes with atheris: each target in a process of its own, from its seeds, for a fixed budget.

    python -m tests.fuzz [TARGET...] [--seconds N | --runs N]

What is found is written to build/fuzz/TARGET/ and makes the command fail.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["immutablerelease.verification"]):
    from tests.fuzz.targets import SEEDS, TARGETS

FINDINGS = Path("build/fuzz")
WORDS = Path(__file__).parent / "words.dict"
# Longer inputs only take longer: the limits on sizes have tests of their own.
MAX_LENGTH = 16 * 1024
# Seconds after which an input hangs, and megabytes.
HANG_SECONDS = 5
MEMORY = 2048


def main() -> int:
    """Fuzz what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="all of them when none is named")
    parser.add_argument("--seconds", type=int, default=0, help="for each target")
    parser.add_argument("--runs", type=int, default=20_000, help="for each target")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    budget = f"-runs={arguments.runs}"
    if arguments.seconds:
        budget = f"-max_total_time={arguments.seconds}"
    names = arguments.targets or list(TARGETS)
    failed = [name for name in names if not _fuzz(name, budget)]
    print(f"{len(names)} targets, {len(failed)} with findings {' '.join(failed)}")
    return 1 if failed else 0


def _fuzz(name: str, budget: str) -> bool:
    """Whether the target ate all that it was fed. Forked, since the fuzzer ends its process."""
    findings = FINDINGS / name
    findings.mkdir(parents=True, exist_ok=True)
    log = findings / "log"
    with tempfile.TemporaryDirectory() as corpus:
        flags = [
            budget,
            f"-artifact_prefix={findings}/",
            f"-max_len={MAX_LENGTH}",
            f"-timeout={HANG_SECONDS}",
            f"-rss_limit_mb={MEMORY}",
            f"-dict={WORDS}",
            # New inputs go to the first folder, seeds are read from the second.
            corpus,
            str(SEEDS / name),
        ]
        child = os.fork()
        if child == 0:
            _run(name, flags, log)
        _, status = os.waitpid(child, 0)
    if status:
        print(f"{name}: {findings}\n{log.read_text(errors='replace')[-4000:]}")
    return status == 0


def _run(name: str, flags: Sequence[str], log: Path) -> None:
    """Become the fuzzer of one target; never returns."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    atheris.Setup([sys.argv[0], *flags], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
