"""Whether the holder of a certificate is one that a policy names.

Patterns are those of RE2 (https://github.com/google/re2/wiki/Syntax): matched in linear time, so no
name can make one run long. A pattern must match the whole name, whether or not it says `^` and `$`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from immutablerelease.api.authorities import Identity as Trusted

from .certificates import Identity
from .errors import InvalidPolicy, quote

# What a compiled pattern may take; RE2 refuses what needs more.
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class NameRule:
    """What a name must be: one text, or whatever a pattern matches as a whole."""

    exact: str | None
    pattern: str | None

    def __post_init__(self) -> None:
        if (self.exact is None) == (self.pattern is None):
            raise InvalidPolicy("an identity needs an issuer and a subject, each once")
        if self.exact == "":
            raise InvalidPolicy("an identity names nobody: a name is empty")
        if self.pattern is not None:
            _compiled(self.pattern)

    def holds(self, name: str) -> bool:
        """Whether the name is right."""
        if self.pattern is None:
            return name == self.exact
        return _compiled(self.pattern).fullmatch(name) is not None


@dataclass(frozen=True)
class IdentityRule:
    """Somebody whom a policy trusts: an issuer, and a subject that it vouched for."""

    issuer: NameRule
    subject: NameRule

    def holds(self, identity: Identity) -> bool:
        """Whether the holder of a certificate is meant."""
        return self.issuer.holds(identity.issuer) and self.subject.holds(identity.subject)


def load_identity(trusted: Trusted) -> IdentityRule:
    """The rule in a policy; raises InvalidPolicy for a pattern that is none."""
    return IdentityRule(
        issuer=NameRule(trusted.issuer, trusted.issuer_pattern),
        subject=NameRule(trusted.subject, trusted.subject_pattern),
    )


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = _MAX_BYTES
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise InvalidPolicy(f"the pattern {quote(pattern)} is not one that RE2 knows") from error
