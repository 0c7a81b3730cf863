"""Figures: what is counted, and that no release ever becomes a label."""

import random

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from immutablerelease.api.release import ReleasePhase
from immutablerelease.runtime.metrics import Metrics
from immutablerelease.runtime.queue import WorkQueue
from immutablerelease.verification.verdict import Verdict


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_every_phase_is_shown_from_the_start(metrics: Metrics) -> None:
    for phase in ReleasePhase:
        assert value(metrics, "immutable_release_releases", phase=phase.value) == 0


def test_a_release_counts_once_in_the_phase_that_it_has(metrics: Metrics) -> None:
    metrics.phase("web/shop", "Progressing")
    metrics.phase("web/shop", "Active")
    metrics.phase("web/shop", "Active")
    metrics.phase("web/cart", "Active")
    assert value(metrics, "immutable_release_releases", phase="Active") == 2
    assert value(metrics, "immutable_release_releases", phase="Progressing") == 0
    metrics.gone("web/shop")
    metrics.gone("never/seen")
    assert value(metrics, "immutable_release_releases", phase="Active") == 1


def test_what_happened_is_counted_by_its_kind(metrics: Metrics) -> None:
    metrics.reconciled("changed", 0.02)
    metrics.reverted("ProbeFailed")
    metrics.on_verdict(Verdict("Refused", "Unsigned", "no signature"), 1.5)
    metrics.requested("apply", "200", 0.01)
    metrics.requested("apply", "error", 10.0)
    metrics.event_dropped()
    metrics.leading(True)
    for name, labels in [
        ("controller_runtime_reconcile_total", {"controller": "release", "result": "changed"}),
        ("controller_runtime_reconcile_time_seconds_count", {"controller": "release"}),
        ("immutable_release_reverts_total", {"reason": "ProbeFailed"}),
        ("immutable_release_verifications_total", {"verdict": "Refused"}),
        ("immutable_release_verification_seconds_count", {}),
        ("rest_client_requests_total", {"verb": "apply", "code": "error"}),
        ("immutable_release_events_dropped_total", {}),
        ("leader_election_master_status", {"name": "release"}),
    ]:
        assert value(metrics, name, **labels) == 1, name
    assert value(metrics, "rest_client_request_duration_seconds_count", verb="apply") == 2


async def test_the_queue_is_shown_as_it_is(metrics: Metrics) -> None:
    now = [100.0]
    queue: WorkQueue[str] = WorkQueue(
        clock=lambda: now[0],
        jitter=random.Random(7),  # noqa: S311
        observer=metrics.queue,
    )
    metrics.queue.watch(queue)
    queue.add("a")
    queue.add("b")
    now[0] += 2
    await queue.get()
    now[0] += 3
    assert value(metrics, "workqueue_depth", name="release") == 1
    assert value(metrics, "workqueue_adds_total", name="release") == 2
    assert value(metrics, "workqueue_unfinished_work_seconds", name="release") == 3
    assert value(metrics, "workqueue_longest_running_processor_seconds", name="release") == 3
    queue.done("a")
    queue.add_rate_limited("a")
    assert value(metrics, "workqueue_queue_duration_seconds_sum", name="release") == 2
    assert value(metrics, "workqueue_work_duration_seconds_sum", name="release") == 3
    assert value(metrics, "workqueue_retries_total", name="release") == 1
    queue.shut_down()


def test_the_number_of_series_does_not_grow_with_the_number_of_releases(metrics: Metrics) -> None:
    metrics.phase("web/r0", "Active")
    before = generate_latest(metrics.registry).count(b"\n")
    for number in range(1000):
        metrics.phase(f"web/r{number}", "Active")
    assert generate_latest(metrics.registry).count(b"\n") == before
