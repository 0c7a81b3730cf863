"""The release that the simulated cluster plays: short times, so that a story takes few ticks."""

from collections.abc import Mapping, Sequence

from immutablerelease.api.release import ReleaseSpec
from immutablerelease.api.strategy import Promotion

from .cluster import template

VERSIONS = ["v1", "v2", "v3", "v4"]

BAKE = 20.0
DEADLINE = 60.0
KEEP_WARM = 30.0
STEPS = ({"weight": 20, "hold": "4s"}, {"weight": 50, "hold": "2s"})
MIRRORED = ({"weight": 0, "mirror": 20, "hold": "2s"}, {"weight": 50, "hold": "2s"})
PAUSES = ({"weight": 0}, {"weight": 50, "hold": "2s", "pause": True})


def release_spec(
    *,
    version: str = "v1",
    replicas: int = 2,
    promotion: Promotion = Promotion.AUTOMATIC,
    preview: int | None = None,
    probed: bool = True,
    history: int = 3,
    keep_warm: float = KEEP_WARM,
    probe_interval: float = 1.0,
    probe_threshold: int = 3,
    steps: Sequence[Mapping[str, object]] = (),
    measured: bool = False,
    gateway: bool = False,
    istio: bool = False,
) -> ReleaseSpec:
    """A release with one HTTP probe, and one by Prometheus where it is measured."""
    blue_green: dict[str, object] = {"promotion": promotion}
    if preview is not None:
        blue_green["previewReplicas"] = preview
    probe = {
        "name": "api",
        "http": {"path": "/", "port": "http"},
        "interval": probe_interval,
        "failureThreshold": probe_threshold,
    }
    errors = {"name": "errors", "prometheus": {"query": "errors", "threshold": {"max": 0}}}
    traffic: dict[str, object] = {}
    if gateway:
        traffic = {"gateway": {"parentRefs": [{"name": "public"}]}}
    elif istio:
        traffic = {"istio": {}}
    return ReleaseSpec.model_validate(
        {
            "replicas": replicas,
            "template": template(version),
            "service": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
            "traffic": traffic,
            "strategy": {"canary": {"steps": steps}} if steps else {"blueGreen": blue_green},
            "health": {
                "progressDeadline": DEADLINE,
                "bake": BAKE,
                "probes": [*([probe] if probed else []), *([errors] if measured else [])],
            },
            "keepWarm": keep_warm,
            "historyLimit": history,
        }
    )


def pausing(spec: ReleaseSpec) -> bool:
    """Whether a canary waits for somebody's word."""
    canary = spec.strategy.canary
    return canary is not None and any(step.pause for step in canary.steps)


def manual(spec: ReleaseSpec) -> bool:
    """Whether a blue-green release waits for somebody's word."""
    blue_green = spec.strategy.blue_green
    return blue_green is not None and blue_green.promotion is Promotion.MANUAL
