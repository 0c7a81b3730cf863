"""Prometheus and jobs decide on real evidence: they reject and revert, and never on none."""

from typing import Any

import pytest

from demo import manifests
from demo.images import ImageMaker
from demo.kube import Object
from devcluster import Cluster
from tests.e2e.gate import Gate
from tests.e2e.shop import Shop, health

FAILS = {"FAIL_AFTER": "2"}
_RATE = 'sum(rate(http_requests_total{namespace="$namespace",revision="$revision"%s}[5s]))'
_BAD = ',code=~"5.."'
ERRORS = f"{_RATE % _BAD} / {_RATE % ''}"
SAMPLES = {
    "query": 'sum(increase(http_requests_total{namespace="$namespace",revision="$revision"}[5s]))',
    "count": 20,
}


def errors(name: str = "errors", scope: str = "Serving", **fields: Any) -> Object:
    """A probe of the share of failed requests."""
    return {
        "name": name,
        "scope": scope,
        "interval": "1s",
        "timeout": "1s",
        "failureThreshold": 2,
        "prometheus": {"query": ERRORS, "minimumSamples": SAMPLES, **fields},
    }


def job(image: str, env: dict[str, str], **fields: Any) -> Object:
    """A probe that asks the revision as a smoke test does."""
    template = manifests.job_template(image, env)
    return {"name": "smoke", "job": {"template": template, "timeout": "60s", **fields}}


@pytest.fixture
def measured(shop: Shop, cluster: Cluster) -> Shop:
    """A release whose Pods Prometheus scrapes."""
    shop.annotations = {"prometheus.io/scrape": "true"}
    return shop


def _health(shop: Shop, status: str, reason: str, said: str = "") -> None:
    """Wait until the release says so of what serves, in these words."""

    def look() -> bool | None:
        found = shop.release.condition("Healthy")
        same = (found.get("status"), found.get("reason")) == (status, reason)
        return (same and said in found["message"].lower()) or None

    shop.then(f"Healthy={status} for {reason}", look)


def test_a_share_of_errors_reverts_a_version_whose_pods_look_well(measured: Shop) -> None:
    probes = [errors(threshold={"max": 0.2})]
    v1 = measured.when_applied("v1", health=health(probes=probes))
    measured.then_serves(v1)
    users = measured.given_users()
    measured.release.await_good(v1.name)
    v2 = measured.when_applied("v2", FAILS)
    users.await_failure()
    measured.then_serves(v1)
    failed = measured.then_fails(v2, "Reverted")
    assert "probe errors fails: got " in failed.message
    assert "at most 0.2 is allowed" in failed.message
    users.await_calm("v1")


def test_a_candidate_with_a_share_is_compared_with_what_serves(measured: Shop) -> None:
    compared = errors(compare={"maxRatio": 2, "maxDifference": 0.1})
    steps = [{"weight": 50, "hold": "60s"}]
    v1 = measured.when_applied(
        "v1", health=health(probes=[compared]), strategy={"canary": {"steps": steps}}
    )
    measured.then_serves(v1)
    users = measured.given_users()
    v2 = measured.when_applied("v2", FAILS)
    users.await_failure()
    failed = measured.then_fails(v2, "Reverted")
    assert f"{v1.name} has 0" in failed.message
    measured.then_serves(v1)
    users.await_calm("v1")


def test_without_prometheus_nothing_is_promoted_and_nothing_reverted(
    measured: Shop, metrics: Gate
) -> None:
    serving = errors(threshold={"max": 0.2})
    v1 = measured.when_applied("v1", health=health(probes=[serving]))
    measured.then_serves(v1)
    users = measured.given_users()
    measured.release.await_good(v1.name)
    _health(measured, "True", "Healthy")
    metrics.shut()
    # An answer may have been late before it was refused.
    _health(measured, "Unknown", "NoEvidence", "connection refused")
    probes = [serving, errors("always", "Always", threshold={"max": 0.2})]
    v2 = measured.when_applied("v2", health=health(probes=probes))
    # All else that it needs must be there by the time at which the deadline tells what is missing.
    measured.release.await_phase(v2.name, "Testing")
    measured.when_changed("v2", health=health(probes=probes, progressDeadline="8s"))
    failed = measured.then_fails(v2, "DeadlineExceeded")
    assert "always (" in failed.message
    assert "connection refused" in failed.message.lower()
    assert measured.release.selected() == v1.name
    assert measured.release.events("Reverted") == []
    metrics.open()
    _health(measured, "True", "Healthy")
    assert users.so_far().versions == ["v1"]


def test_a_job_before_the_promotion_keeps_a_bad_version_from_users(shop: Shop) -> None:
    wants = {"CHECK": "/", "WANTED": '"v1"'}
    v1 = shop.given_serving("v1", health=health(probes=[job(shop.image, wants)]))
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    failed = shop.then_fails(v2, "ProbeFailed")
    assert f"Job {v2.name}-smoke-0 failed: container check ended with exit code 1" in failed.message
    assert 'the check wanted "\\"v1\\""' in failed.message
    assert shop.release.selected() == v1.name
    assert users.so_far().versions == ["v1"]
    names = [str(item["metadata"]["name"]) for item in shop.kube.list("Job", shop.namespace)]
    assert sorted(names) == sorted([f"{v1.name}-smoke-0", f"{v2.name}-smoke-0"])


@pytest.mark.enforce("all")
def test_a_job_after_the_promotion_reverts_where_nothing_but_releases_runs(shop: Shop) -> None:
    wants = {"CHECK": "/", "WANTED": '"v1"'}
    after = job(shop.image, wants, when="AfterPromotion")
    v1 = shop.given_serving("v1", health=health(probes=[after], bake="1s"))
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    failed = shop.then_fails(v2, "Reverted")
    assert "the check wanted" in failed.message
    shop.then_serves(v1)
    users.await_calm("v1")
    assert users.so_far().versions == ["v1", "v2"]


def test_the_image_of_a_job_is_verified_before_anything_starts(
    shop: Shop, maker: ImageMaker
) -> None:
    v1 = shop.given_serving("v1")
    check = job(maker.build("unsigned-job", {}).ref, {"CHECK": "/"})
    v2 = shop.when_applied("v2", health=health(probes=[check]))
    rejected = shop.release.await_phase(v2.name, "Rejected", 60.0)
    assert "of job smoke" in rejected.message
    assert shop.kube.list("Job", shop.namespace) == []
    assert shop.release.selected() == v1.name
