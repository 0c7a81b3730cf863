"""The API server of the simulated cluster: resource versions, and an event for every write."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from .objects import Change, Stored


class NotFound(Exception):
    """The object is not there."""


class AlreadyExists(Exception):
    """An object of that name is there."""


class ApiServer:
    """Objects by kind and name."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._version = 0
        self._objects: dict[tuple[str, str], Stored] = {}
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Watch everything."""
        self._listeners.append(listener)

    def find(self, kind: str, name: str) -> Stored | None:
        """A live read."""
        return self._objects.get((kind, name))

    def get(self, kind: str, name: str) -> Stored:
        """A live read of what must be there."""
        found = self.find(kind, name)
        if found is None:
            raise NotFound(f"{kind}/{name}")
        return found

    def all(self, kind: str) -> list[Stored]:
        """A live list."""
        return [stored for stored in self._objects.values() if stored.kind == kind]

    def everything(self) -> list[Stored]:
        """A live list of all kinds."""
        return list(self._objects.values())

    def create(self, kind: str, name: str, body: Any) -> Stored:
        """Create an object."""
        if (kind, name) in self._objects:
            raise AlreadyExists(f"{kind}/{name}")
        self._version += 1
        created = self.now.replace(microsecond=0)
        stored = Stored(kind, name, f"{name}-{self._version}", self._version, 1, created, body)
        return self._store(stored)

    def write(self, kind: str, name: str, body: Any, *, spec: bool) -> Stored:
        """Replace the body of an object; a write that changes nothing is none."""
        known = self.get(kind, name)
        if known.body == body:
            return known
        self._version += 1
        generation = known.generation + 1 if spec else known.generation
        return self._store(replace(known, version=self._version, generation=generation, body=body))

    def delete(self, kind: str, name: str) -> None:
        """Delete an object and, by and by, what it owns."""
        stored = self._objects.pop((kind, name), None)
        if stored is None:
            raise NotFound(f"{kind}/{name}")
        self._version += 1
        self._tell(Change(replace(stored, version=self._version), deleted=True))

    def _store(self, stored: Stored) -> Stored:
        self._objects[stored.kind, stored.name] = stored
        self._tell(Change(stored))
        return stored

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)
