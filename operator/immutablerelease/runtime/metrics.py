"""Figures for Prometheus. Names of controller-runtime where they fit, so that its dashboards do.

A figure of a state is set only after the status that records it was written: a metric never tells
of what the cluster does not show. No label names a release, so that their number is bounded.
"""

from collections.abc import Hashable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from immutablerelease.api.release import ReleasePhase
from immutablerelease.verification.verdict import Verdict

from .queue import Observer, WorkQueue

_NAME: Final = "release"
_FAST: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """All figures of the operator, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.queue = QueueMetrics(registry)
        ProcessCollector(registry=registry)
        self._reconciles = Counter(
            "controller_runtime_reconcile_total",
            "Reconciles by result: changed, unchanged, waiting, gone or error.",
            ("controller", "result"),
            registry=registry,
        )
        self._reconcile_seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Time that one reconcile took.",
            ("controller",),
            buckets=_FAST,
            registry=registry,
        ).labels(_NAME)
        self._releases = Gauge(
            "immutable_release_releases",
            "Releases by the phase in their status.",
            ("phase",),
            registry=registry,
        )
        self._reverts = Counter(
            "immutable_release_reverts_total",
            "Moves of traffic back to an earlier revision, by reason.",
            ("reason",),
            registry=registry,
        )
        self._verdicts = Counter(
            "immutable_release_verifications_total",
            "Verdicts on the images of a revision: Verified, Refused or Unknown.",
            ("verdict",),
            registry=registry,
        )
        self._verdict_seconds = Histogram(
            "immutable_release_verification_seconds",
            "Time that one verdict took, registry included.",
            buckets=_SLOW,
            registry=registry,
        )
        self._requests = Counter(
            "rest_client_requests_total",
            "Requests to the API server by verb and status code; error is no answer at all.",
            ("verb", "code"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "rest_client_request_duration_seconds",
            "Time until the API server answered.",
            ("verb",),
            buckets=_FAST,
            registry=registry,
        )
        self._dropped_events = Counter(
            "immutable_release_events_dropped_total",
            "Events that were not published, because too many waited or the API server refused.",
            registry=registry,
        )
        self._leader = Gauge(
            "leader_election_master_status",
            "1 while this process holds the lease, 0 while it stands by.",
            ("name",),
            registry=registry,
        ).labels(_NAME)
        self._phases: dict[Hashable, str] = {}
        for phase in ReleasePhase:
            self._releases.labels(phase.value)

    def reconciled(self, result: str, seconds: float) -> None:
        """A reconcile ended."""
        self._reconciles.labels(_NAME, result).inc()
        self._reconcile_seconds.observe(seconds)

    def phase(self, key: Hashable, phase: str | None) -> None:
        """The status of a release, as written, has this phase."""
        former = self._phases.pop(key, None)
        if former is not None:
            self._releases.labels(former).dec()
        if phase is not None:
            self._phases[key] = phase
            self._releases.labels(phase).inc()

    def gone(self, key: Hashable) -> None:
        """The release is gone."""
        self.phase(key, None)

    def reverted(self, reason: str) -> None:
        """Traffic moved back, and the status says so."""
        self._reverts.labels(reason).inc()

    def on_verdict(self, verdict: Verdict, seconds: float) -> None:
        """A verdict was reached."""
        self._verdicts.labels(verdict.verdict).inc()
        self._verdict_seconds.observe(seconds)

    def requested(self, verb: str, code: str, seconds: float) -> None:
        """The API server was asked; the `observe` of a `KubeApi`."""
        self._requests.labels(verb, code).inc()
        self._request_seconds.labels(verb).observe(seconds)

    def event_dropped(self) -> None:
        """An Event was not published."""
        self._dropped_events.inc()

    def leading(self, leads: bool) -> None:
        """Whether this process holds the lease."""
        self._leader.set(1 if leads else 0)


class QueueMetrics(Observer):
    """Figures of the work queue; `watch` shows those that are read off the queue itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._adds = self._counter("workqueue_adds_total", "Keys that began to wait.")
        self._retries = self._counter("workqueue_retries_total", "Keys put off with backoff.")
        self._waits = self._histogram(
            "workqueue_queue_duration_seconds", "Time that a key waited for a worker."
        )
        self._works = self._histogram(
            "workqueue_work_duration_seconds", "Time that a worker had a key."
        )

    def watch(self, queue: WorkQueue[Any]) -> None:
        """Show depth and ages of the queue, read at each scrape."""
        self._gauge("workqueue_depth", "Keys that wait.").set_function(lambda: queue.depth)
        self._gauge(
            "workqueue_unfinished_work_seconds", "Sum of the ages of keys in workers' hands."
        ).set_function(lambda: sum(queue.processing_ages.values()))
        self._gauge(
            "workqueue_longest_running_processor_seconds", "Age of the oldest of them."
        ).set_function(lambda: max(queue.processing_ages.values(), default=0.0))

    def added(self) -> None:
        """A key began to wait."""
        self._adds.inc()

    def retried(self) -> None:
        """A key was put off with backoff."""
        self._retries.inc()

    def taken(self, waited: float) -> None:
        """A worker took a key."""
        self._waits.observe(waited)

    def finished(self, worked: float) -> None:
        """A worker was through with a key."""
        self._works.observe(worked)

    def _counter(self, name: str, words: str) -> Counter:
        return Counter(name, words, ("name",), registry=self._registry).labels(_NAME)

    def _gauge(self, name: str, words: str) -> Gauge:
        return Gauge(name, words, ("name",), registry=self._registry).labels(_NAME)

    def _histogram(self, name: str, words: str) -> Histogram:
        return Histogram(name, words, ("name",), buckets=_FAST, registry=self._registry).labels(
            _NAME
        )
