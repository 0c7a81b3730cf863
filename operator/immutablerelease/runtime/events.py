"""Publishes Events about objects, without ever holding up or failing who tells of something.

Rules:
- Telling costs nothing but memory, and that is bounded: what is too much is dropped and counted.
- What repeats within a window is one Event with a series that counts.
- Many different notes for one reason end in one combined Event, so that a flapping release does
  not fill etcd.
- A refused Event is logged, never retried for ever.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from immutablerelease.api.meta import GROUP

from .client import EVENTS, Api, ApiError, NamespaceGoing, Object

log = logging.getLogger(__name__)

# https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/events.go
_NOTE_BYTES: Final = 1024
_WORD_BYTES: Final = 128
_CONTROLLER: Final = f"{GROUP}/operator"


@dataclass(frozen=True)
class Limits:
    """How much is told, and how much is remembered."""

    # Seconds in which a repetition counts as one.
    window: float = 600.0
    # Seconds between two writes of one series.
    pause: float = 60.0
    # Different notes of one reason about one object, before they are combined.
    notes: int = 10
    waiting: int = 1000
    remembered: int = 4096


@dataclass
class _Series:
    """One Event, and how often it happened."""

    event: Object
    namespace: str
    began: float
    count: int = 1
    last: datetime | None = None
    written: float | None = None
    waits: bool = False

    def render(self) -> Object:
        if self.count < 2 or self.last is None:
            return self.event
        series = {"count": self.count, "lastObservedTime": _micro(self.last)}
        return {**self.event, "series": series}


_Topic = tuple[str, str, str]


class Events:
    """Events of one process. `run` writes them; nothing is written before it runs."""

    def __init__(
        self,
        api: Api,
        *,
        instance: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        limits: Limits = Limits(),
        on_drop: Callable[[], None] = lambda: None,
    ) -> None:
        self._api = api
        self._instance = _cut(instance, _WORD_BYTES)
        self._clock = clock
        self._now = now
        self._limits = limits
        self._on_drop = on_drop
        self._waiting: asyncio.Queue[_Series] = asyncio.Queue(limits.waiting)
        self._series: OrderedDict[tuple[_Topic, str], _Series] = OrderedDict()
        # Different notes per topic within the window.
        self._notes: dict[_Topic, int] = {}

    def tell(
        self,
        about: Mapping[str, Any],
        type_: str,
        reason: str,
        note: str,
        *,
        action: str = "Reconcile",
        related: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish soon that something happened to an object.

        Args:
            about: The object, with apiVersion, kind and metadata.
            type_: Normal or Warning.
            reason: One CamelCase word.
            note: A sentence; cut off after 1024 bytes.
            action: What the operator did.
            related: Another object that had a part in it.
        """
        self._expire()
        topic = (about["metadata"].get("uid", ""), type_, reason)
        series = self._series.get((topic, note))
        if series is None and self._notes.get(topic, 0) >= self._limits.notes:
            note = f"(combined with similar ones) {note}"
            series = self._combined(topic)
        if series is None:
            series = self._begin(topic, about, note, action, related)
        else:
            series.count += 1
            series.last = self._now()
        self._enqueue(series)

    async def run(self) -> None:
        """Write Events until cancelled."""
        while True:
            series = await self._waiting.get()
            await self._write(series)
            self._waiting.task_done()

    async def drain(self, seconds: float) -> None:
        """Wait until all that was told is written, but no longer than so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._waiting.join()
        except TimeoutError:
            log.warning("%d Events were not published before the end", self._waiting.qsize())

    def _begin(
        self,
        topic: _Topic,
        about: Mapping[str, Any],
        note: str,
        action: str,
        related: Mapping[str, Any] | None,
    ) -> _Series:
        _, type_, reason = topic
        metadata = about["metadata"]
        # Events about objects of the whole cluster live in `default`.
        namespace = metadata.get("namespace") or "default"
        now = self._now()
        seed = "\n".join((*topic, note, self._instance, _micro(now)))
        suffix = hashlib.sha256(seed.encode()).hexdigest()[:16]
        event: Object = {
            "metadata": {"name": f"{metadata['name'][:200]}.{suffix}", "namespace": namespace},
            "eventTime": _micro(now),
            "type": type_,
            "reason": _cut(reason, _WORD_BYTES),
            "action": _cut(action, _WORD_BYTES),
            "note": _cut(note, _NOTE_BYTES),
            "reportingController": _CONTROLLER,
            "reportingInstance": self._instance,
            "regarding": _reference(about),
        }
        if related is not None:
            event["related"] = _reference(related)
        series = _Series(event, namespace, self._clock())
        combined = self._notes.get(topic, 0) >= self._limits.notes
        self._series[topic, "" if combined else note] = series
        self._notes[topic] = self._notes.get(topic, 0) + 1
        return series

    def _combined(self, topic: _Topic) -> _Series | None:
        return self._series.get((topic, ""))

    def _expire(self) -> None:
        """Forget what is older than the window, and the oldest when there are too many."""
        oldest = self._clock() - self._limits.window
        while self._series:
            (topic, note), series = next(iter(self._series.items()))
            if series.began >= oldest and len(self._series) < self._limits.remembered:
                return
            del self._series[topic, note]
            self._notes[topic] -= 1
            if not self._notes[topic]:
                del self._notes[topic]

    def _enqueue(self, series: _Series) -> None:
        recently = (
            series.written is not None and self._clock() - series.written < self._limits.pause
        )
        if series.waits or recently:
            return
        try:
            self._waiting.put_nowait(series)
        except asyncio.QueueFull:
            self._on_drop()
        else:
            series.waits = True

    async def _write(self, series: _Series) -> None:
        series.waits = False
        series.written = self._clock()
        try:
            await self._api.apply(EVENTS, series.namespace, series.render())
        except NamespaceGoing:
            # There is nobody left to read it.
            self._on_drop()
        except ApiError as error:
            self._on_drop()
            log.warning("an Event was not published: %s", error)
        except Exception:
            self._on_drop()
            log.exception("an Event was not published")


def _reference(obj: Mapping[str, Any]) -> Object:
    metadata = obj["metadata"]
    fields = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata.get("uid"),
        "resourceVersion": metadata.get("resourceVersion"),
    }
    return {key: value for key, value in fields.items() if value}


def _cut(text: str, size: int) -> str:
    """The text in so many bytes at most; the API server counts bytes."""
    data = text.encode()
    if len(data) <= size:
        return text
    return data[: size - 3].decode(errors="ignore") + "..."


def _micro(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
