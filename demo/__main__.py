"""`python -m demo`: bring up a cluster, play all scenes on it, say what was seen.

With `--sandbox` no scene is played: an operator runs until Ctrl-C, to try things by hand. Started
from anywhere it goes into the cluster by itself (`--inside` is that second half).
Exit code 0 only if everything held.
"""

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from devcluster.errors import DevclusterError

from .errors import DemoError
from .place import prepare
from .play import play_all, table, write_figures
from .sandbox import keep
from .stage import NAMESPACE, RELEASE, set_up

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"
FIGURES = BUILD / "demo.json"
SCRATCH = BUILD / "demo"
SANDBOX = BUILD / "sandbox"


def main() -> int:
    """The whole demo."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--sandbox", action="store_true", help="keep an operator running to try things by hand"
    )
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        if not arguments.inside:
            return _outside(arguments.sandbox)
        return _keep() if arguments.sandbox else _play()
    except KeyboardInterrupt:
        print("\nInterrupted. The cluster is still up; `make down` removes it.", file=sys.stderr)
        return 130


def _outside(sandbox: bool) -> int:
    """Have a cluster and play inside it."""
    try:
        place = prepare("full")
    except DevclusterError as error:
        print(f"The demo cannot begin: {error}", file=sys.stderr)
        return 1
    what = ["--sandbox"] if sandbox else []
    inside = place.command([sys.executable, "-m", "demo", "--inside", *what])
    player = subprocess.Popen(inside, cwd=ROOT, env=place.environment)
    try:
        return player.wait()
    except KeyboardInterrupt:
        # From a terminal it knows already; it takes the first signal and is left to clean up.
        player.terminate()
        return player.wait(60)


def _keep() -> int:
    print("Setting up the sandbox:", flush=True)
    try:
        keep(SANDBOX, lambda text: print(f"  {text}", flush=True))
    except (DemoError, DevclusterError) as error:
        print(f"\nThe sandbox has ended: {error}", file=sys.stderr)
    return 1


def _play() -> int:
    began = time.monotonic()
    print("Setting the stage:", flush=True)
    try:
        with set_up(SCRATCH, lambda text: print(f"  {text}", flush=True)) as stage:
            results = play_all(stage)
            held = write_figures(results, FIGURES)
    except (DemoError, DevclusterError) as error:
        print(f"\nThe demo could not be played: {error}", file=sys.stderr)
        return 1
    plugin = str(Path(sys.executable).parent / "kubectl-immutable")
    _show("kubectl get irel,rrev", ["kubectl", "-n", NAMESPACE, "get", "irel,rrev"])
    _show(f"kubectl immutable status {RELEASE}", [plugin, "status", RELEASE, "-n", NAMESPACE])
    print(f"\n{table(results)}\n")
    print(_farewell(held, time.monotonic() - began))
    return 0 if held else 1


def _show(title: str, command: list[str]) -> None:
    print(f"\nWhat a person sees: {title}\n", flush=True)
    subprocess.run(command, timeout=30, check=False)


def _farewell(held: bool, seconds: float) -> str:
    verdict = "All of it held" if held else "NOT all of it held"
    return "\n".join(
        [
            f"{verdict}; {seconds:.0f} s. Figures: {FIGURES.relative_to(ROOT)}, "
            f"operator's log: {(SCRATCH / 'operator.log').relative_to(ROOT)}",
            "",
            "To look around (the operator has ended, what it made is still there):",
            "  .venv/bin/python -m devcluster exec -- kubectl -n demo describe irel shop",
            "  .venv/bin/python -m devcluster exec -- kubectl -n demo get events",
            "To try it by hand, with an operator that stays:  make sandbox",
            "To remove the cluster:  make down",
        ]
    )


def _interrupt(signum: int, frame: FrameType | None) -> None:
    # Once is enough; a second one must not interrupt the cleaning up.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, frame: None)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
