"""Whether a policy can be applied at all, before any image is judged by it.

What is found wrong here would refuse every image that the policy speaks of; an admin learns it from
the policy rather than from the releases.
"""

import asyncio

from cryptography import x509

from immutablerelease.api.policy import Policy

from .attestations import narrowed, predicate_types
from .authorities import load_authorities
from .errors import InvalidPolicy
from .rules import RuleEvaluator
from .trust import Trust


async def require_sound(policy: Policy, trust: Trust, rules: RuleEvaluator) -> None:
    """That keys can be read, names and rules compiled, and that what it refers to is there.

    Raises:
        InvalidPolicy: something can never hold, or is not what it should be.
        TrustUnavailable: something that the policy refers to is not there.
        RuleFailed: a rule takes too long whatever it is asked about.
        RulesUnavailable: the rules were not compiled in time, which says nothing about them.
    """
    spec = policy.spec
    if spec.authorities or not spec.unsafe_allow_unsigned:
        await asyncio.to_thread(load_authorities, policy, trust)
    for wanted in spec.attestations:
        predicate_types(wanted)
        await asyncio.to_thread(load_authorities, narrowed(policy, wanted), trust)
        await rules.compile(wanted.predicate_rules)
    for authority in spec.registries.trusted_cas:
        _require_certificates(authority.pem)


def _require_certificates(pem: str) -> None:
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise InvalidPolicy(
            "one of the trustedCAs holds no certificates that can be read"
        ) from error
