"""Runs the tiers of tests that this machine can run, and says which it cannot and why.

    python -m tests.tiers [TIER ...]     when none is named, all of them

Every tier runs, also after one that failed; the exit code is 0 only if none did. Tiers that need a
cluster bring up the one that CLUSTER chooses and, with --clean, take it down after themselves.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.place import DEVCLUSTER, Place, prepare
from devcluster.errors import DevclusterError

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PYTEST = [sys.executable, "-m", "pytest", "-q"]
# On two processes; what waits for one of them goes to whichever is free.
PARALLEL = ["-n", "2", "--dist", "worksteal"]
# Tests on a whole cluster wait more than they work. Those of one file share what there is one of.
TOGETHER = ["-n", "3", "--dist", "loadfile", "-m", "not alone"]
# How pytest ends its report, with -q and without: "12 passed, 1 skipped in 3.21s".
_COUNT = r"\d+ (?:passed|failed|error|skipped|deselected|xfailed)"
_SUMMARY = re.compile(rf"^=*\s*({_COUNT}.* in .*?)\s*=*$")

Command = Sequence[str]
HERE = Place((), dict(os.environ))


@dataclass(frozen=True)
class Tier:
    """Commands that prove one kind of thing."""

    name: str
    proves: str
    commands: Sequence[Command]
    # What must be fetched before, where there is a network.
    fetch: Sequence[Command] = ()
    # Profile of the cluster that it runs on; nothing where it needs none.
    profile: str = ""
    # Why it cannot run here; nothing when it can.
    obstacle: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Result:
    """What came of a tier."""

    name: str
    outcome: str
    seconds: float
    summary: str


def _no_root() -> str:
    if platform.system() != "Linux":
        return f"needs Linux, this is {platform.system()}"
    return "" if os.geteuid() == 0 else "needs root: network namespaces and mounts"


def _no_cluster() -> str:
    return _no_root() if os.environ.get("CLUSTER", "local") == "local" else ""


def _no_go() -> str:
    return "" if shutil.which("go") else "needs Go"


def _no_sigstore() -> str:
    # The ports that it takes, and the names of sockets, are those of Linux.
    if platform.system() != "Linux":
        return f"needs Linux, this is {platform.system()}"
    return _no_go()


TIERS = (
    Tier(
        "lint",
        "style, types, layers, and that generated files are fresh",
        (
            [str(BIN / "ruff"), "check", "."],
            [str(BIN / "ruff"), "format", "--check", "."],
            [str(BIN / "mypy"), "operator", "devcluster", "demo", "bench", "tests"],
            [str(BIN / "lint-imports")],
            [sys.executable, "-m", "immutablerelease.api.crds", "--check", "crds/"],
        ),
    ),
    Tier("unit", "the core, parsers, verification", ([*PYTEST, *PARALLEL, "tests/unit"],)),
    Tier(
        "fuzz",
        "no bytes of a registry do more to a parser than be refused",
        ([*PYTEST, "tests/fuzz"],),
    ),
    Tier(
        "app",
        "the application that the demo releases",
        (["go", "-C", "demo/app", "vet", "./..."], ["go", "-C", "demo/app", "test", "./..."]),
        obstacle=_no_go,
    ),
    Tier(
        "sigstore",
        "what real services sign is verified offline, and refused where cosign refuses it",
        ([*PYTEST, "tests/sigstore"],),
        obstacle=_no_sigstore,
    ),
    Tier(
        "devcluster",
        "the cluster comes up, recovers and leaves nothing behind",
        ([*PYTEST, "tests/devcluster"],),
        obstacle=_no_root,
    ),
    Tier(
        "api",
        "CRDs, admission policies, roles and documents on a real API server",
        ([*PYTEST, "tests/api"],),
        # Inside the cluster there is no network to fetch its definitions from.
        fetch=([*DEVCLUSTER, "tools", "istio"],),
        profile="api",
        obstacle=_no_cluster,
    ),
    Tier(
        "faults",
        "an API server in trouble, and the operator killed at any write, change no end",
        ([*PYTEST, "tests/faults"],),
        profile="api",
        obstacle=_no_cluster,
    ),
    Tier(
        "demo",
        "what the README promises to whoever comes first",
        ([sys.executable, "-m", "demo", "--inside"],),
        profile="full",
        obstacle=_no_cluster,
    ),
    Tier(
        "e2e",
        "real Pods, real signatures, real traffic",
        ([*PYTEST, "tests/e2e", *TOGETHER], [*PYTEST, "tests/e2e", "-m", "alone"]),
        fetch=(
            [sys.executable, "-m", "tests.e2e.operator_image"],
            [*DEVCLUSTER, "tools", "fulcio", "rekor-server", "timestamp-server"],
        ),
        profile="full",
        obstacle=_no_cluster,
    ),
)


def main() -> int:
    """Run what was asked for and print the summary."""
    names = [tier.name for tier in TIERS]
    parser = argparse.ArgumentParser(prog="python -m tests.tiers")
    parser.add_argument("tiers", nargs="*", metavar="TIER", help=f"of {', '.join(names)}")
    parser.add_argument("--clean", action="store_true", help="take clusters down afterwards")
    arguments = parser.parse_args()
    if unknown := set(arguments.tiers) - set(names):
        parser.error(f"no tier {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen = [tier for tier in TIERS if tier.name in arguments.tiers or not arguments.tiers]
    results = [run(tier, clean=arguments.clean) for tier in chosen]
    print(f"\n{table(results)}", flush=True)
    return 1 if any(result.outcome == "FAILED" for result in results) else 0


def run(tier: Tier, *, clean: bool) -> Result:
    """Run one tier; its last words are its summary."""
    print(f"\n=== {tier.name}: {tier.proves}", flush=True)
    if obstacle := tier.obstacle():
        print(f"skipped: {obstacle}", flush=True)
        return Result(tier.name, "skipped", 0.0, obstacle)
    began = time.monotonic()
    try:
        place = prepare(tier.profile) if tier.profile else HERE
    except DevclusterError as error:
        return Result(tier.name, "FAILED", time.monotonic() - began, str(error))
    summaries: list[str] = []
    failed = ""
    steps = [*((command, HERE) for command in tier.fetch), *((c, place) for c in tier.commands)]
    for command, where in steps:
        code, summary = _stream(command, where)
        summaries.extend([summary] if summary else [])
        # The other commands still run: a person wants to see all that is wrong.
        if code != 0 and not failed:
            failed = f"{' '.join(Path(word).name for word in command[:4])} exited with {code}"
    if place.prefix and clean:
        _stream([*DEVCLUSTER, "down"], HERE)
    outcome = "FAILED" if failed else "passed"
    text = "; ".join([*summaries, *([failed] if failed else [])])
    return Result(tier.name, outcome, time.monotonic() - began, text or "all checks passed")


def _stream(command: Command, place: Place) -> tuple[int, str]:
    """Run a command with its output shown; exit code and pytest's summary, if there was one."""
    print(f"$ {' '.join(command).replace(str(BIN) + '/', '')}", flush=True)
    summary = ""
    with subprocess.Popen(
        place.command(command),
        cwd=ROOT,
        env=place.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if found := _SUMMARY.match(line.strip()):
                summary = found[1]
    return process.returncode, summary


def table(results: Sequence[Result]) -> str:
    """One line a tier, aligned."""
    width = max(len(result.name) for result in results)
    lines = [
        f"{result.name:<{width}}  {result.outcome:<7}  {result.seconds:6.1f} s  {result.summary}"
        for result in results
    ]
    return "\n".join(["Tiers:", *lines])


if __name__ == "__main__":
    sys.exit(main())
