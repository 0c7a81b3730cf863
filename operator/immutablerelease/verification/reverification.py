"""How long a verdict stands, and what follows from a refusal: what the matching policies say."""

from collections.abc import Iterable, Mapping, Sequence

from immutablerelease.api.policy import OnRefusal, Policy

from .errors import VerificationError
from .matching import matches_image, matches_namespace
from .reference import parse_reference
from .verdict import ImageUse, Verdict


def stands_for(
    policies: Iterable[Policy],
    images: Sequence[ImageUse],
    *,
    namespace: str,
    namespace_labels: Mapping[str, str],
) -> float | None:
    """Seconds until the images are to be verified again: the least that any policy says.

    None where no policy speaks of them: only another policy can change that.
    """
    names = [name for image in images if (name := _name(image.image)) is not None]
    return min(
        (
            policy.spec.reverify.every
            for policy in policies
            if matches_namespace(policy.spec, namespace, namespace_labels)
            and any(matches_image(policy.spec, name) for name in names)
        ),
        default=None,
    )


def wants_revert(policies: Iterable[Policy], verdict: Verdict) -> bool:
    """Whether a policy that refuses the images wants what serves to be left.

    What no policy speaks of is refused by none: a policy that is deleted moves no traffic.
    """
    return any(
        policy.spec.reverify.on_refusal is OnRefusal.REVERT
        for policy in policies
        if policy.metadata.name in verdict.refused_by
    )


def _name(image: str) -> str | None:
    try:
        return parse_reference(image).name
    except VerificationError:
        return None
