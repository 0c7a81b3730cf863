"""Configuration frozen with a revision: copies named by content, and a template that names them.

A copy is `immutable: true`, named `<release>-<source>-<10 hex of both and its content>`, and serves
every revision with the same content, and going back to a revision goes back to its configuration.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from immutablerelease.api.meta import MANAGED_BY_LABEL, MANAGER, RELEASE_LABEL
from immutablerelease.api.objects import Release, owner
from immutablerelease.api.release import LiveReference
from immutablerelease.api.revision import FrozenConfig
from immutablerelease.core.identity import content_hash


@dataclass(frozen=True)
class Reference:
    """A ConfigMap or Secret that a template names."""

    kind: str
    name: str
    optional: bool = False


def references(
    templates: Sequence[Mapping[str, Any]], live: Sequence[LiveReference]
) -> tuple[Reference, ...]:
    """What templates name and is to be frozen, each once; required wins over optional."""
    kept_live = {(item.kind, item.name) for item in live}
    found: dict[tuple[str, str], Reference] = {}
    for kind, holder, key in (place for template in templates for place in _places(template)):
        name = holder.get(key)
        if not name or (kind, name) in kept_live:
            continue
        optional = bool(holder.get("optional"))
        before = found.get((kind, name))
        found[(kind, name)] = Reference(kind, name, optional and (not before or before.optional))
    return tuple(found.values())


def absent(reference: Reference) -> dict[str, Any]:
    """What stands for an optional ConfigMap or Secret that is not there: one with nothing in it.

    Pods read the same from both. But what is only missing could be made later, and would change
    Pods that serve.
    """
    made: dict[str, Any] = {"metadata": {"name": reference.name}}
    return made if reference.kind == "ConfigMap" else {**made, "type": "Opaque"}


def frozen_name(release: Release, source: Mapping[str, Any]) -> str:
    """Name of the release's frozen copy of a ConfigMap or Secret."""
    # Both are part of the hash: `a-b` with `c` and `a` with `b-c` must not meet at one name.
    parts = [release.metadata.name, source["metadata"]["name"]]
    return f"{'-'.join(parts)[:242]}-{content_hash([*parts, _content(source)])}"


def frozen_copy(release: Release, kind: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """The copy, owned by the release."""
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {
            "name": frozen_name(release, source),
            "namespace": release.metadata.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER, RELEASE_LABEL: release.metadata.name},
            "ownerReferences": [
                owner("ImmutableRelease", release.metadata.name, release.metadata.uid)
            ],
        },
        **_content(source),
        "immutable": True,
    }


def rewrite(template: Mapping[str, Any], frozen: Sequence[FrozenConfig]) -> dict[str, Any]:
    """The template with every frozen reference naming its copy."""
    names: dict[tuple[str, str], str] = {(item.kind, item.source): item.name for item in frozen}
    changed = deepcopy(dict(template))
    for kind, holder, key in _places(changed):
        if not holder.get(key):
            continue
        holder[key] = names.get((kind, holder[key]), holder[key])
    return changed


def _content(source: Mapping[str, Any]) -> dict[str, Any]:
    return {key: source[key] for key in ("type", "data", "binaryData") if source.get(key)}


def _places(template: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every place of a template that names a ConfigMap or Secret: kind, the map, the key in it.

    Pull secrets are not among them: they are read by the kubelet, rotate, and configure nothing.
    """
    spec = template.get("spec") or {}
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            yield from _container_places(container)
    for volume in spec.get("volumes") or ():
        yield from _volume_places(volume)


def _container_places(container: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        yield from _named(source, "configMapKeyRef", "secretKeyRef")
    for source in container.get("envFrom") or ():
        yield from _named(source, "configMapRef", "secretRef")


def _volume_places(volume: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    if volume.get("configMap"):
        yield "ConfigMap", volume["configMap"], "name"
    if volume.get("secret"):
        yield "Secret", volume["secret"], "secretName"
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield from _named(source, "configMap", "secret")


def _named(
    source: Mapping[str, Any], config_map: str, secret: str
) -> Iterator[tuple[str, dict[str, Any], str]]:
    if source.get(config_map):
        yield "ConfigMap", source[config_map], "name"
    if source.get(secret):
        yield "Secret", source[secret], "name"
