"""Which policies speak of a namespace and of an image, and a hash over what they say."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from immutablerelease.api.policy import Policy, PolicySpec, SelectorRequirement
from immutablerelease.core.identity import content_hash

from .trust import NO_TRUST, Trust


def matches_glob(pattern: str, text: str) -> bool:
    """Whether the pattern matches the whole text.

    `*` is any run of characters other than `/`, `**` any run at all. Time is bounded by the product
    of the lengths: a pattern cannot be made to backtrack.
    """
    parts = _parts(pattern)
    states = _closure(parts, {0})
    for character in text:
        moved = set()
        for state in states:
            if state == len(parts):
                continue
            part = parts[state]
            if part == "**" or (part == "*" and character != "/"):
                moved.add(state)
            elif part == character:
                moved.add(state + 1)
        states = _closure(parts, moved)
    return len(parts) in states


def matches_namespace(spec: PolicySpec, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether the policy speaks of the namespace."""
    if not any(matches_glob(pattern, namespace) for pattern in spec.match.namespaces):
        return False
    selector = spec.match.namespace_selector
    if selector is None:
        return True
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions
    )


def matches_image(spec: PolicySpec, name: str) -> bool:
    """Whether the policy speaks of the repository, given with its registry."""
    return any(matches_glob(pattern, name) for pattern in spec.match.images)


def policies_hash(
    policies: Iterable[Policy],
    namespace: str,
    namespace_labels: Mapping[str, str],
    trust: Trust = NO_TRUST,
) -> str:
    """Ten hex digits for what the policies that match the namespace say, in whatever order.

    The content of what they refer to is part of what they say.
    """
    return content_hash(
        sorted(
            [policy.metadata.name, spec_hash(policy, trust)]
            for policy in policies
            if matches_namespace(policy.spec, namespace, namespace_labels)
        )
    )


def spec_hash(policy: Policy, trust: Trust) -> str:
    """SHA-256 of all that the policy says, and of all that it relies on without saying it."""
    said = [policy.spec.wire(), trust.content_hashes(policy)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _parts(pattern: str) -> list[str]:
    parts: list[str] = []
    for character in pattern:
        if character == "*" and parts and parts[-1] in {"*", "**"}:
            parts[-1] = "**"
        else:
            parts.append(character)
    return parts


def _closure(parts: list[str], states: set[int]) -> set[int]:
    """The states, and those reached from them because a star may match nothing."""
    reached = set(states)
    for state in sorted(states):
        following = state
        while following < len(parts) and parts[following] in {"*", "**"}:
            following += 1
            reached.add(following)
    return reached


def _holds(requirement: SelectorRequirement, labels: Mapping[str, str]) -> bool:
    match requirement.operator:
        case "Exists":
            return requirement.key in labels
        case "DoesNotExist":
            return requirement.key not in labels
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":
            return labels.get(requirement.key) not in requirement.values
