"""What the operator says of itself at /metrics, and what it used between two looks."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_READS = ("get", "list", "watch")
_RECONCILES = "controller_runtime_reconcile_total"


@dataclass(frozen=True)
class Gauges:
    """The figures of one moment."""

    # User and system time of the process since it started.
    cpu_seconds: float
    resident_mib: float
    # Requests to the API server, without those of kopf's watches.
    reads: int
    writes: int
    reconciles: int

    @staticmethod
    def read(metrics: str) -> Gauges:
        """From the text that Prometheus would get."""
        samples = [(name, labels, float(seen)) for name, labels, seen in _SAMPLE.findall(metrics)]

        def total(wanted: str) -> float:
            return sum(seen for name, _, seen in samples if name == wanted)

        asked = [
            (any(f'verb="{verb}"' in labels for verb in _READS), int(seen))
            for name, labels, seen in samples
            if name == "rest_client_requests_total"
        ]
        return Gauges(
            cpu_seconds=total("process_cpu_seconds_total"),
            resident_mib=total("process_resident_memory_bytes") / 2**20,
            reads=sum(count for is_read, count in asked if is_read),
            writes=sum(count for is_read, count in asked if not is_read),
            reconciles=int(total(_RECONCILES)),
        )


@dataclass(frozen=True)
class Cost:
    """What the operator used for one release."""

    cpu_ms: float
    reads: float
    writes: float
    reconciles: float

    @staticmethod
    def between(before: Gauges, after: Gauges, releases: int) -> Cost:
        """The share of each of so many releases."""
        return Cost(
            cpu_ms=round(1000 * (after.cpu_seconds - before.cpu_seconds) / releases, 1),
            reads=round((after.reads - before.reads) / releases, 2),
            writes=round((after.writes - before.writes) / releases, 2),
            reconciles=round((after.reconciles - before.reconciles) / releases, 2),
        )
