"""Every place of a template that names an image: containers, init containers and image volumes.

An image volume mounts the files of an image, programs among them, so it is resolved and verified as
a container is. https://kubernetes.io/docs/concepts/storage/volumes/#image
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from immutablerelease.api.revision import ResolvedImage


@dataclass(frozen=True)
class NamedImage:
    """An image as a template names it, and what uses it."""

    # Name of the container or the volume.
    user: str
    init: bool
    volume: bool
    # Empty where the template leaves it out, which names nothing.
    source: str

    def resolved(self, image: str, job: str | None = None) -> ResolvedImage:
        """The same with the digest that it stands for, and the probe whose job runs it."""
        return ResolvedImage(
            container=self.user,
            init=self.init,
            volume=self.volume,
            job=job,
            source=self.source,
            image=image,
        )


def named_images(template: Mapping[str, Any]) -> tuple[NamedImage, ...]:
    """All images of the template, in a fixed order."""
    return tuple(
        NamedImage(user, init, volume, str(holder.get(key) or ""))
        for user, init, volume, holder, key in _places(template)
    )


def with_digests(template: Mapping[str, Any], images: Sequence[ResolvedImage]) -> dict[str, Any]:
    """The template with every image replaced by the digest at the same place of `images`."""
    changed = deepcopy(dict(template))
    for (*_, holder, key), image in zip(_places(changed), images, strict=True):
        holder[key] = image.image
    return changed


def _places(template: Mapping[str, Any]) -> Iterator[tuple[str, bool, bool, dict[str, Any], str]]:
    """User, whether an init container, whether a volume, the map and the key in it."""
    spec = template.get("spec") or {}
    for field, init in (("initContainers", True), ("containers", False)):
        for container in spec.get(field) or ():
            yield container["name"], init, False, container, "image"
    for volume in spec.get("volumes") or ():
        # `image: {}` is an image volume as well: it must not slip by unseen.
        if volume.get("image") is not None:
            yield volume["name"], False, True, volume["image"], "reference"
