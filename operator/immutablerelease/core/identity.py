"""Identity of a revision: a hash over our own canonical form, never over a client library's struct.

Two templates that differ only in the order of keys, or in absent against null fields, are the same
revision; anything else is a new one. What is empty is not absent: `labelSelector: {}` picks every
Pod, none picks no Pod.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

HASH_LENGTH = 10


def canonical(value: Any) -> Any:
    """The value without what means nothing: fields that are null."""
    if isinstance(value, Mapping):
        return {key: canonical(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    return value


def content_hash(value: Any) -> str:
    """Ten hex digits that stand for the canonical form of a JSON value."""
    text = json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def revision_name(
    release: str, template: Mapping[str, Any], jobs: Mapping[str, Mapping[str, Any]]
) -> str:
    """Name of the revision that resolved templates make: `<release>-<10 hex>`."""
    content = {"template": template, "jobs": jobs} if jobs else template
    return f"{release}-{content_hash(content)}"


def job_name(revision: str, probe: str, attempt: int) -> str:
    """Name of the Job of a probe; a label holds it, so it has 63 characters at most."""
    name = f"{revision}-{probe}-{attempt}"
    return name if len(name) <= 63 else f"{name[:52]}-{content_hash(name)}"
