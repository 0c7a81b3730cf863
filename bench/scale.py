"""Many releases at once, beside as many bare Deployments of the same Pods.

    python -m bench.scale [--releases N] [--cluster NAME]

On a cluster of profile api, whose Pods are imagined, so that what is measured is the operator and
not the machine's containers. Prints a table and writes `build/bench-scale.json`. Exit code 0 only
if every budget is kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.crowd import DEPLOYMENTS, RELEASES, Objects, until_done
from bench.gauges import Cost, Gauges
from bench.ours import Ours
from bench.report import Verdict, judged
from bench.system import PREFIX, App
from demo import manifests
from demo.child import Child
from demo.errors import DemoError, Unmet
from demo.images import ImageMaker
from demo.kube import Kube
from demo.place import prepare
from devcluster import Cluster, tool
from devcluster.errors import DevclusterError
from devcluster.fake_nodes import USER as KWOK_USER
from devcluster.toolchain import tools
from tests.e2e.audit import writes_of_operator

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "build" / "bench-scale.json"
SCRATCH = ROOT / "build" / "bench"
# A cluster of profile full may be up under the usual name: this one is for imagined Pods alone.
CLUSTER = "iro-scale"
# What imagines the Pods says how they are, as a node does.
TRUSTED = {"enforcement.trusted.podStatus": f"{{{KWOK_USER}}}"}
BARE, OURS = f"{PREFIX}bare", f"{PREFIX}many"
REGISTRY_TOOL = "registry-with-referrers"
# Of the time of bare Deployments.
CREATE_RATIO, UPDATE_RATIO = 1.5, 1.1
MEMORY_MIB, MEMORY_RELEASES = 250.0, 5000
_QUIET_SECONDS = 10.0
_IDLE_SECONDS = 20.0
_REST_SECONDS = 300.0


@dataclass(frozen=True)
class Took:
    """How long one kind of objects took, from the first write until the last was done."""

    create_seconds: float
    update_seconds: float


@dataclass(frozen=True)
class Memory:
    """What was resident, in MiB."""

    # Before the first release.
    empty: float
    # With all of them at rest, after all the work on them.
    worked: float
    # In a process that found them at rest.
    restarted: float

    def at(self, wanted: int, releases: int) -> float:
        """MiB after the work, had there been so many more at rest; they cost the same each."""
        each = (self.restarted - self.empty) / releases
        return self.worked + each * max(0, wanted - releases)


@dataclass(frozen=True)
class Figures:
    """All that was measured."""

    releases: int
    ours: Took
    bare: Took
    create_cost: Cost
    update_cost: Cost
    memory: Memory
    idle_writes: int


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--releases", type=int, default=500)
    parser.add_argument("--cluster", default=CLUSTER, help=f"its name ({CLUSTER})")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        if options.inside:
            return _inside(options.releases, options.cluster)
        tools([REGISTRY_TOOL])
        place = prepare("api", options.cluster)
    except (DemoError, DevclusterError) as error:
        print(f"The bench could not be finished: {error}", file=sys.stderr)
        return 1
    inside = place.command([sys.executable, "-m", "bench.scale", "--inside", *sys.argv[1:]])
    return subprocess.run(inside, cwd=ROOT, env=place.environment, check=False).returncode


def _inside(releases: int, cluster: str) -> int:
    figures = _measure(releases, Cluster.load(cluster))
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")
    verdicts = judge(figures)
    print(f"\n{releases} releases of one Pod\n\n{costs(figures)}\n\n{judged(verdicts)}")
    print(f"\nFigures: {FIGURES.relative_to(ROOT)}")
    return 0 if all(verdict.kept for verdict in verdicts) else 1


def costs(figures: Figures) -> str:
    """What the operator used for each release, one line a phase."""
    return "\n".join(
        f"{name}: {cost.cpu_ms:.1f} ms of CPU, {cost.writes:.1f} writes and {cost.reads:.1f} reads "
        f"of the API server, {cost.reconciles:.1f} reconciles for each"
        for name, cost in (("created", figures.create_cost), ("updated", figures.update_cost))
    )


def judge(figures: Figures) -> list[Verdict]:
    """The budgets, each with what was seen."""
    ours, bare, memory = figures.ours, figures.bare, figures.memory
    mib = memory.at(MEMORY_RELEASES, figures.releases)
    seen = f"{mib:.0f} MiB ({memory.worked:.0f} with {figures.releases}, {memory.empty:.0f} empty)"
    return [
        _ratio("created", ours.create_seconds, bare.create_seconds, CREATE_RATIO),
        _ratio("updated", ours.update_seconds, bare.update_seconds, UPDATE_RATIO),
        Verdict(
            f"at most {MEMORY_MIB:g} MiB resident with {MEMORY_RELEASES} releases",
            seen,
            mib <= MEMORY_MIB,
        ),
        Verdict(
            f"no write in {_IDLE_SECONDS:g} s of idleness",
            str(figures.idle_writes),
            figures.idle_writes == 0,
        ),
    ]


def _ratio(what: str, ours: float, bare: float, limit: float) -> Verdict:
    ratio = ours / bare
    seen = f"{ratio:.2f} ({ours:.1f} s, bare {bare:.1f} s)"
    return Verdict(f"{what} within {limit:g} of bare Deployments", seen, ratio <= limit)


def _measure(releases: int, cluster: Cluster) -> Figures:
    kube = Kube()
    names = [f"app-{number}" for number in range(releases)]
    with ExitStack() as exits:
        secrets = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        # Profile api has no registry, and images are to be verified.
        argv = [str(tool(REGISTRY_TOOL)), f"-address={cluster.registry}", f"-directory={secrets}/r"]
        registry = Child(argv, SCRATCH / "registry.log", {})
        exits.callback(registry.stop)
        run = f"{time.time():.3f}"
        maker = ImageMaker(secrets, cluster.registry, run, cluster=cluster.name)
        key = maker.key("team")
        image = maker.build("scale", {})
        maker.sign(image, key)
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": BARE}})
        app = App(BARE, image.pinned)
        bare = Took(*(_take(kube, app, names, DEPLOYMENTS, number) for number in (1, 2)))
        system = Ours(kube, cluster.registry, key, secrets, TRUSTED)
        exits.callback(system.stop)
        system.start(SCRATCH)
        kube.apply(manifests.namespace(OURS))
        app = App(OURS, image.pinned)
        seen, seconds = [Gauges.read(system.metrics())], []
        for number in (1, 2):
            seconds.append(_take(kube, app, names, RELEASES, number))
            # What is done still has things to put away; that is part of its cost.
            _await_rest(cluster)
            seen.append(Gauges.read(system.metrics()))
        idle = _idle_writes(cluster, _IDLE_SECONDS)
        memory = [seen[0], Gauges.read(system.metrics())]
        system.restart()
        _await_rest(cluster)
        memory.append(Gauges.read(system.metrics()))
        for name in (BARE, OURS):
            kube.delete("Namespace", name)
    return Figures(
        releases,
        Took(*seconds),
        bare,
        Cost.between(seen[0], seen[1], releases),
        Cost.between(seen[1], seen[2], releases),
        Memory(*(round(one.resident_mib, 1) for one in memory)),
        idle,
    )


def _take(kube: Kube, app: App, names: Sequence[str], objects: Objects, number: int) -> float:
    made = [objects.make(app, name, f"v{number}") for name in names]
    return until_done(kube, app.namespace, made, objects, generation=number)


def _await_rest(cluster: Cluster) -> None:
    """Until the operator has written nothing for a while."""
    until = time.monotonic() + _REST_SECONDS
    while (written := _idle_writes(cluster, _QUIET_SECONDS)) and time.monotonic() < until:
        print(f"{written} writes in {_QUIET_SECONDS:g} s of rest", file=sys.stderr)
    if written:
        raise Unmet("the operator to have nothing left to do", f"{written} writes")


def _idle_writes(cluster: Cluster, seconds: float) -> int:
    """What the operator writes in so many seconds from now."""
    # The log of thousands of releases takes longer to read than they to settle.
    since, offset = datetime.now(UTC), cluster.audit_log.stat().st_size
    time.sleep(seconds)
    return len(writes_of_operator(cluster, since, offset))


if __name__ == "__main__":
    sys.exit(main())
