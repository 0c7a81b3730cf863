"""Manifests to start from: the least that is valid, and a way to say what differs."""

import copy
from typing import Any

from immutablerelease.api.meta import API_VERSION

Manifest = dict[str, Any]

DIGEST = "sha256:" + "ab" * 32
ABSENT = object()


def release(name: str = "shop", /, **changes: Any) -> Manifest:
    """An ImmutableRelease; changes are keyed by path, with `__` for the dots."""
    container = {"name": "shop", "image": "registry.example.com/shop:1"}
    spec = {
        "template": {"spec": {"containers": [container]}},
        "service": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }
    return changed(_object("ImmutableRelease", name, spec), changes)


def revision(name: str = "shop-0123456789", /, **changes: Any) -> Manifest:
    """A ReleaseRevision."""
    image = f"registry.example.com/shop@{DIGEST}"
    source = "registry.example.com/shop:1"
    spec = {
        "release": "shop",
        "number": 1,
        "generation": 1,
        "templateHash": "0123456789",
        "template": {"spec": {"containers": [{"name": "shop", "image": image}]}},
        "images": [{"container": "shop", "source": source, "image": image}],
    }
    return changed(_object("ReleaseRevision", name, spec), changes)


def action(name: str = "promote", /, **changes: Any) -> Manifest:
    """A ReleaseAction."""
    return changed(
        _object("ReleaseAction", name, {"release": "shop", "action": "Promote"}), changes
    )


def policy(name: str = "test-policy", /, **changes: Any) -> Manifest:
    """A ReleasePolicy that trusts everything."""
    return changed(_object("ReleasePolicy", name, {"unsafeAllowUnsigned": True}), changes)


def changed(manifest: Manifest, changes: dict[str, Any]) -> Manifest:
    """The manifest with values at paths such as `spec__service__ports` replaced or removed."""
    result = copy.deepcopy(manifest)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node: Any = result
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
        if value is ABSENT:
            del node[last]
        elif isinstance(node, list):
            node[int(last)] = value
        else:
            node[last] = value
    return result


def _object(kind: str, name: str, spec: dict[str, Any]) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
