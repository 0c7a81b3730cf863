"""A real HorizontalPodAutoscaler: it reckons with what serves, and scales all of a release."""

from pathlib import Path

import pytest

from demo.kube import Kube, Object
from demo.manifests import REVISION_LABEL
from tests.e2e.metrics_api import MetricsApi
from tests.e2e.shop import Shop
from tests.e2e.ways import Way

# In millicores: what the users cost altogether, what one Pod shall bear, what a Pod that only
# proves itself burns: with that in the reckoning there would be as many as there may be.
LOAD, TARGET, WARMING_UP = 300, 100, 500
MOST = 6


@pytest.mark.usefixtures("cluster")
def test_it_counts_what_serves_alone_and_scales_in_the_middle_of_a_release(
    shop: Shop, way: Way, kube: Kube, tmp_path: Path
) -> None:
    proving: set[str] = set()

    def usage(pod: Object) -> int:
        revision = pod["metadata"]["labels"][REVISION_LABEL]
        if revision in proving:
            return WARMING_UP
        return LOAD // max(1, len(shop.release.pods(revision)))

    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", **way.manual)
    proving.add(v2.name)
    shop.then_phase("AwaitingPromotion")
    with MetricsApi(kube, tmp_path, shop.namespace, usage) as metrics:
        _autoscale(shop)
        for revision, pods in ((v1, 3), (v2, way.waiting_of_three)):
            shop.then(
                f"{pods} Pods of {revision.name}",
                lambda at=revision, wanted=pods: shop.replicas_of(at) == wanted or None,  # type: ignore[misc]
                60,
            )
        asked_before = len(metrics.asked)
        shop.then("it to look again", lambda: len(metrics.asked) > asked_before + 2 or None)
        assert shop.release.read()["spec"]["replicas"] == 3
        assert all(selector.endswith(f"={v1.name}") for selector in metrics.asked)
        proving.clear()
        shop.when_told("Promote", full=True)
        shop.then_serves(v2)
        shop.then(
            "it to reckon with the new Pods",
            lambda: metrics.asked[-1].endswith(f"={v2.name}") or None,
        )
    users.await_calm("v2")
    assert users.so_far().failed == 0
    assert shop.replicas_of(v2) == 3


def _autoscale(shop: Shop) -> None:
    average = {"type": "AverageValue", "averageValue": f"{TARGET}m"}
    target = {
        "apiVersion": "immutablerelease.io/v1alpha1",
        "kind": "ImmutableRelease",
        "name": "shop",
    }
    shop.kube.request(
        "POST",
        f"/apis/autoscaling/v2/namespaces/{shop.namespace}/horizontalpodautoscalers",
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "shop"},
            "spec": {
                "scaleTargetRef": target,
                "minReplicas": 1,
                "maxReplicas": MOST,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": average}}],
            },
        },
    )
