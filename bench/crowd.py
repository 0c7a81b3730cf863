"""Many objects of one kind, written at once and watched until the last is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.system import LABELS, App
from demo import manifests
from demo.errors import Unmet
from demo.kube import Kube, Object

_WRITERS = 16
# However slow the machine is: so many seconds for each, and some to begin with.
_SECONDS_EACH, _SECONDS_ANYWAY = 1.0, 120.0
_TOLD_EVERY = 5.0
# Between two watches.
_PAUSE = 0.2


@dataclass(frozen=True)
class Objects:
    """What is made, and when it is done."""

    kind: str
    make: Callable[[App, str, str], Object]
    is_done: Callable[[Object], bool]


def until_done(
    kube: Kube, namespace: str, made: Sequence[Object], objects: Objects, *, generation: int
) -> float:
    """Seconds from the first write until all are done in this generation; tells how far it is.

    Raises:
        Unmet: not all of them were done in time.
    """
    limit = _SECONDS_ANYWAY + _SECONDS_EACH * len(made)
    what = f"{len(made)} times {objects.kind} in {namespace}"
    began = told = time.monotonic()
    done: set[str] = set()
    with ThreadPoolExecutor(_WRITERS) as writers:
        written = [writers.submit(kube.apply, one) for one in made]
        for obj in _seen(kube, objects.kind, namespace, began + limit):
            name, now = obj["metadata"]["name"], time.monotonic()
            if obj["metadata"]["generation"] >= generation and objects.is_done(obj):
                done.add(name)
            else:
                done.discard(name)
            if now >= told + _TOLD_EVERY:
                told = now
                print(f"{what}: {len(done)} after {now - began:.0f} s", file=sys.stderr)
            if len(done) == len(made):
                break
        seconds = round(time.monotonic() - began, 1)
        for one in written:
            one.result()
    if len(done) < len(made):
        raise Unmet(f"{what} to be done within {limit:.0f} s", f"{len(done)} were")
    print(f"{what}: {seconds} s", flush=True)
    return seconds


def _seen(kube: Kube, kind: str, namespace: str, until: float) -> Iterator[Object]:
    """Objects as they are and as they change; the API server ends the watch of a slow reader."""
    while (left := until - time.monotonic()) > 1:
        # What ends a watch may be told in it, and has no name.
        yield from (obj for obj in kube.watch(kind, namespace, left) if "name" in obj["metadata"])
        time.sleep(_PAUSE)


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
