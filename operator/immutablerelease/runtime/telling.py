"""Tells the world what happened, after it was written down: Events, figures, log lines."""

import logging
from collections.abc import Mapping
from typing import Any

from immutablerelease.core.plan import Event, Plan, WriteReleaseStatus
from immutablerelease.core.snapshot import RouteRecord, Snapshot

from .client import RELEASES, REVISIONS, Kind
from .events import Events
from .key import Key
from .metrics import Metrics

log = logging.getLogger(__name__)


class Telling:
    """Where a controller's events and figures go."""

    def __init__(self, events: Events, metrics: Metrics) -> None:
        self._events = events
        self._metrics = metrics

    def tell(self, snapshot: Snapshot, event: Event) -> None:
        """An Event about the release, related to the revision that it speaks of."""
        metadata = snapshot.release.metadata
        log.info("%s/%s: %s: %s", metadata.namespace, metadata.name, event.reason, event.message)
        revision = snapshot.revisions.get(event.revision or "")
        self._events.tell(
            _object(RELEASES, metadata.namespace, metadata.name, metadata.uid),
            event.type,
            event.reason,
            event.message,
            related=_object(
                REVISIONS,
                metadata.namespace,
                revision.metadata.name,
                revision.metadata.uid,
            )
            if revision
            else None,
        )

    def reconciled(self, key: Key, result: str, seconds: float) -> None:
        """Count a reconcile."""
        self._metrics.reconciled(result, seconds)

    def moved(self, record: RouteRecord) -> None:
        """Count a move of traffic that was made, if it went back."""
        if record.reason != "Promoted":
            self._metrics.reverted(record.reason)

    def recorded(self, key: Key, snapshot: Snapshot, plan: Plan) -> None:
        """What a plan that was applied in full has changed."""
        phase = snapshot.release.status.phase
        for intent in plan.intents:
            if isinstance(intent, WriteReleaseStatus):
                phase = intent.status.phase
        self._metrics.phase(key, phase)

    def gone(self, key: Key) -> None:
        """A release is gone."""
        self._metrics.gone(key)


def _object(kind: Kind, namespace: str, name: str, uid: str) -> Mapping[str, Any]:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"namespace": namespace, "name": name, "uid": uid},
    }
