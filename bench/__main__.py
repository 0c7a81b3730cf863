"""`python -m bench`: this operator and its peers in the same scenes, on one cluster, in one run.

    python -m bench [--system NAME ...] [--scene NUMBER ...]

Started from anywhere it goes into the cluster by itself (`--inside` is that second half). Exit code
0 only if every budget that was measured is kept.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import report
from bench.argo_rollouts import ArgoRollouts
from bench.flagger import Flagger
from bench.ours import Ours
from bench.scenes import SCENES, Measured, Scene, measure
from bench.system import PREFIX, App, System
from demo.child import tail
from demo.errors import DemoError
from demo.images import ImageMaker
from demo.kube import Kube, wait_for
from demo.place import prepare, registry
from devcluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.toolchain import tools

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "build" / "bench.json"
SCRATCH = ROOT / "build" / "bench"
SYSTEMS = ("ours", "argo", "flagger")
PEERS = {"argo": "argo-rollouts", "flagger": "flagger"}
_GONE_SECONDS = 90.0


def main() -> int:
    """The whole bench."""
    options = _options()
    return _inside(options) if options.inside else _outside(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    numbers = range(1, len(SCENES) + 1)
    parser.add_argument("--system", choices=SYSTEMS, nargs="+", default=list(SYSTEMS))
    parser.add_argument("--scene", type=int, choices=numbers, nargs="+", default=list(numbers))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _outside(options: argparse.Namespace) -> int:
    """Have a cluster and the peers' controllers, and measure inside."""
    try:
        tools(PEERS[name] for name in options.system if name in PEERS)
        place = prepare("full")
    except DevclusterError as error:
        print(f"The bench cannot begin: {error}", file=sys.stderr)
        return 1
    inside = place.command([sys.executable, "-m", "bench", "--inside", *sys.argv[1:]])
    return subprocess.run(inside, cwd=ROOT, env=place.environment, check=False).returncode


def _inside(options: argparse.Namespace) -> int:
    scenes = [SCENES[number - 1] for number in options.scene]
    # Logs of an earlier run would tell an earlier story.
    shutil.rmtree(SCRATCH, ignore_errors=True)
    try:
        measured = _measure_all(options.system, scenes)
    except (DemoError, DevclusterError) as error:
        print(f"\nThe bench could not be finished: {error}", file=sys.stderr)
        for log in sorted(SCRATCH.glob("*.log")):
            print(f"{log}:\n{tail(log)}", file=sys.stderr)
        return 1
    report.write(measured, FIGURES)
    verdicts = report.verdicts(measured, Ours.name, ArgoRollouts.name)
    print(f"\n{report.table(measured)}\n\n{report.judged(verdicts)}")
    print(f"\nFigures: {FIGURES.relative_to(ROOT)}")
    return 0 if all(verdict.kept for verdict in verdicts) else 1


def _measure_all(names: Sequence[str], scenes: Sequence[Scene]) -> list[Measured]:
    kube = Kube()
    _remove_namespaces(kube)
    measured = []
    with tempfile.TemporaryDirectory(prefix="bench-") as secrets:
        maker = ImageMaker(Path(secrets), registry(), run=f"{time.time():.3f}")
        key = maker.key("team")
        image = maker.build("bench", {})
        maker.sign(image, key)
        makers: Mapping[str, Callable[[], System]] = {
            "ours": lambda: Ours(kube, registry(), key, Path(secrets)),
            "argo": lambda: ArgoRollouts(kube),
            "flagger": lambda: Flagger(kube, Cluster.load().prometheus),
        }
        for name in names:
            system = makers[name]()
            measured += _measure_one(kube, name, system, scenes, image.pinned)
    return sorted(measured, key=lambda one: [scene.name for scene in SCENES].index(one.scene))


def _measure_one(
    kube: Kube, short: str, system: System, scenes: Sequence[Scene], image: str
) -> list[Measured]:
    measured = []
    try:
        system.start(SCRATCH)
        for scene in scenes:
            app = App(f"{PREFIX}{short}-{SCENES.index(scene) + 1}", image)
            print(f"{system.name} {system.version}: {scene.name} ...", flush=True)
            kube.apply(system.namespace(app.namespace))
            measured += measure(scene, system, app, SCRATCH)
            kube.delete("Namespace", app.namespace)
        _remove_namespaces(kube)
    finally:
        system.stop()
    return measured


def _remove_namespaces(kube: Kube) -> None:
    """Nothing of one system may be in the way of another."""

    def left() -> list[str]:
        names = (str(item["metadata"]["name"]) for item in kube.list("Namespace"))
        return [name for name in names if name.startswith(PREFIX)]

    for name in left():
        kube.delete("Namespace", name)
    wait_for(
        "the namespaces of the bench to be gone",
        lambda: (not left() or None, ", ".join(left())),
        _GONE_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
