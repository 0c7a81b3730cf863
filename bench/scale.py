"""Many releases at once, beside as many bare Deployments of the same Pods.

    python -m bench.scale [--releases N]

On a cluster of profile api, whose Pods are imagined, so that what is measured is the operator and
not the machine's containers. Prints a table and writes `build/bench-scale.json`. Exit code 0 only
if every budget is kept.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.ours import Ours
from bench.report import Verdict, judged
from bench.system import LABELS, PREFIX, App
from demo import manifests
from demo.child import Child
from demo.errors import DemoError
from demo.images import ImageMaker
from demo.kube import Kube, Object, wait_for
from demo.place import prepare
from devcluster import Cluster, tool
from devcluster.errors import DevclusterError
from devcluster.fake_nodes import USER as KWOK_USER
from devcluster.toolchain import tools
from tests.e2e.audit import writes_of_operator

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "build" / "bench-scale.json"
SCRATCH = ROOT / "build" / "bench"
# What imagines the Pods says how they are, as a node does.
TRUSTED = {"enforcement.trusted.podStatus": f"{{{KWOK_USER}}}"}
BARE, OURS = f"{PREFIX}bare", f"{PREFIX}many"
REGISTRY_TOOL = "registry-with-referrers"
# Of the time of bare Deployments.
CREATE_RATIO, UPDATE_RATIO = 1.5, 1.1
MEMORY_MIB = 250.0
_WRITERS = 16
_DONE_SECONDS = 300.0
_POLL = 0.5
_QUIET_SECONDS = 10.0
_IDLE_SECONDS = 20.0
_RESIDENT = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Took:
    """How long one kind of objects took, from the first write until the last was done."""

    create_seconds: float
    update_seconds: float


@dataclass(frozen=True)
class Figures:
    """All that was measured."""

    releases: int
    ours: Took
    bare: Took
    resident_mib: float
    idle_writes: int


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--releases", type=int, default=500)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        if options.inside:
            return _inside(options.releases)
        tools([REGISTRY_TOOL])
        place = prepare("api")
    except (DemoError, DevclusterError) as error:
        print(f"The bench could not be finished: {error}", file=sys.stderr)
        return 1
    inside = place.command([sys.executable, "-m", "bench.scale", "--inside", *sys.argv[1:]])
    return subprocess.run(inside, cwd=ROOT, env=place.environment, check=False).returncode


def _inside(releases: int) -> int:
    figures = _measure(releases)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")
    verdicts = judge(figures)
    print(f"\n{releases} releases of one Pod\n\n{judged(verdicts)}")
    print(f"\nFigures: {FIGURES.relative_to(ROOT)}")
    return 0 if all(verdict.kept for verdict in verdicts) else 1


def judge(figures: Figures) -> list[Verdict]:
    """The budgets, each with what was seen."""
    ours, bare = figures.ours, figures.bare
    return [
        _ratio("created", ours.create_seconds, bare.create_seconds, CREATE_RATIO),
        _ratio("updated", ours.update_seconds, bare.update_seconds, UPDATE_RATIO),
        Verdict(
            f"resident memory at most {MEMORY_MIB:g} MiB",
            f"{figures.resident_mib:.0f} MiB",
            figures.resident_mib <= MEMORY_MIB,
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


def _measure(releases: int) -> Figures:
    kube, cluster = Kube(), Cluster.load()
    names = [f"app-{number}" for number in range(releases)]
    with ExitStack() as exits:
        secrets = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        # Profile api has no registry, and images are to be verified.
        argv = [str(tool(REGISTRY_TOOL)), f"-address={cluster.registry}", f"-directory={secrets}/r"]
        registry = Child(argv, SCRATCH / "registry.log", {})
        exits.callback(registry.stop)
        maker = ImageMaker(secrets, cluster.registry, run=f"{time.time():.3f}")
        key = maker.key("team")
        image = maker.build("scale", {})
        maker.sign(image, key)
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": BARE}})
        bare = _take(kube, App(BARE, image.pinned), names, DEPLOYMENTS)
        system = Ours(kube, cluster.registry, key, secrets, TRUSTED)
        exits.callback(system.stop)
        system.start(SCRATCH)
        kube.apply(manifests.namespace(OURS))
        ours = _take(kube, App(OURS, image.pinned), names, RELEASES)
        _await_quiet(cluster)
        since = datetime.now(UTC)
        time.sleep(_IDLE_SECONDS)
        idle = len(writes_of_operator(cluster, since))
        resident = _RESIDENT.search(system.metrics())
        assert resident is not None  # noqa: S101 (every process of prometheus_client has it)
        mib = float(resident[1]) / 2**20
        for name in (BARE, OURS):
            kube.delete("Namespace", name)
    return Figures(releases, ours, bare, round(mib, 1), idle)


@dataclass(frozen=True)
class Objects:
    """What is made, and when it is done."""

    kind: str
    make: Callable[[App, str, str], Object]
    is_done: Callable[[Object], bool]


def _take(kube: Kube, app: App, names: Sequence[str], objects: Objects) -> Took:
    seconds = [
        _until_done(kube, app, [objects.make(app, name, version) for name in names], objects)
        for version in ("v1", "v2")
    ]
    return Took(*seconds)


def _until_done(kube: Kube, app: App, manifests: Sequence[Object], objects: Objects) -> float:
    print(f"{len(manifests)} times {objects.kind} in {app.namespace} ...", end=" ", flush=True)
    began = time.monotonic()
    with ThreadPoolExecutor(_WRITERS) as writers:
        list(writers.map(kube.apply, manifests))

    def look() -> tuple[bool | None, str]:
        done = sum(map(objects.is_done, kube.list(objects.kind, app.namespace)))
        return done == len(manifests) or None, f"{done} of {len(manifests)}"

    wait_for(f"every {objects.kind} to be done", look, _DONE_SECONDS, _POLL)
    seconds = round(time.monotonic() - began, 1)
    print(f"{seconds} s", flush=True)
    return seconds


def _deployment(app: App, name: str, version: str) -> Object:
    labels = {**LABELS, "name": name}
    template = app.template({"VERSION": version})
    template["metadata"]["labels"] = labels
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": app.meta(name),
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def _is_rolled_out(deployment: Object) -> bool:
    status = deployment.get("status", {})
    counts = {status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    current = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return current and counts == {1}


def _release(app: App, name: str, version: str) -> Object:
    # Without a probe: nobody can ask an imagined Pod.
    health = {"progressDeadline": "5m", "bake": "1s"}
    template = app.template({"VERSION": version})
    return manifests.release(
        name, app.namespace, template, replicas=1, health=health, keepWarm="1s"
    )


def _is_ready(release: Object) -> bool:
    generation = release["metadata"]["generation"]
    return any(
        one["type"] == "Ready"
        and one["status"] == "True"
        and one.get("observedGeneration") == generation
        for one in release.get("status", {}).get("conditions", ())
    )


DEPLOYMENTS = Objects("Deployment", _deployment, _is_rolled_out)
RELEASES = Objects("ImmutableRelease", _release, _is_ready)


def _await_quiet(cluster: Cluster) -> None:
    def look() -> tuple[bool | None, str]:
        since = datetime.fromtimestamp(time.time() - _QUIET_SECONDS, UTC)
        written = len(writes_of_operator(cluster, since))
        return written == 0 or None, f"{written} writes in the last {_QUIET_SECONDS:g} s"

    wait_for("the operator to have nothing left to do", look, _DONE_SECONDS, every=2.0)


if __name__ == "__main__":
    sys.exit(main())
