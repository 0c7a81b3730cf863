"""Images of one platform: what is signed and pinned is the index that lists them.

An index's digest covers its images by their digests, so its signature covers them too; the other
way round nothing is known, and nothing is searched. An image that nobody signed passes only through
an index that a policy names by digest, that lists it and that itself satisfies the policy.
https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
"""

from collections.abc import Iterable
from dataclasses import replace

from .errors import NotFound
from .manifest import parse_platforms
from .reference import Reference
from .registry import Registry


async def find_parent(
    registry: Registry, reference: Reference, digest: str, parents: Iterable[str]
) -> str | None:
    """The first of the named indexes, in the image's own repository, that lists the digest.

    Raises:
        MalformedContent: what a policy names is no index.
        RegistryError: an index could not be read. One that is of another repository is passed over.
    """
    for parent in parents:
        try:
            content = await registry.image(replace(reference, digest=parent))
        except NotFound:
            continue
        if digest in parse_platforms(content.data, content.media_type):
            return parent
    return None
