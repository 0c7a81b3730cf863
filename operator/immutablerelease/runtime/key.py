"""The key that everything about one release is known by."""

from typing import NamedTuple


class Key(NamedTuple):
    """Namespace and name of an ImmutableRelease."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.namespace}/{self.name}"
