"""Tag -> digest, once. An index stays an index: its digest covers every platform in it."""

from dataclasses import dataclass

from .manifest import check_image
from .reference import parse_reference
from .registry import Registry


@dataclass(frozen=True)
class Resolved:
    """An image as it was written, and as it runs."""

    source: str
    # `registry/repository@sha256:...`
    image: str
    digest: str


async def resolve(image: str, registry: Registry) -> Resolved:
    """The digest that the image has now; raises VerificationError.

    The digest is that of the bytes received, never one that a header claims. An image that is
    written with a digest keeps it, and its tag means nothing, as for container runtimes.
    """
    reference = parse_reference(image)
    if reference.digest is not None:
        return Resolved(image, reference.by_digest(reference.digest), reference.digest)
    content = await registry.image(reference)
    check_image(content.data, content.media_type)
    return Resolved(image, reference.by_digest(content.digest), content.digest)
