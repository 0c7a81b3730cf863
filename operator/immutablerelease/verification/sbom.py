"""Bills of materials: whether an attestation is one. What it lists is for rules to judge.

https://cyclonedx.org/specification/overview/ (`bomFormat`) and
https://spdx.github.io/spdx-spec/v2.3/document-creation-information/ (`spdxVersion`). The predicate
type is that of in-toto's catalogue, with or without a version after it.
"""

import re
from typing import Any

from immutablerelease.api.attestations import Sbom

from .errors import WrongSbom

_TYPES = {
    Sbom.CYCLONE_DX: re.compile(r"https://cyclonedx\.org/bom(?:/v[0-9]{1,3}(?:\.[0-9]{1,3})*)?"),
    Sbom.SPDX: re.compile(r"https://spdx\.dev/Document(?:/v[0-9]{1,3}(?:\.[0-9]{1,3})*)?"),
}


def sbom_format(predicate_type: str) -> Sbom | None:
    """The format that the predicate type names."""
    found = (kind for kind, pattern in _TYPES.items() if pattern.fullmatch(predicate_type))
    return next(found, None)


def is_wanted(wanted: Sbom, predicate_type: str) -> bool:
    """Whether the predicate type is of a format that the policy takes."""
    found = sbom_format(predicate_type)
    return found is not None and wanted in (Sbom.ANY, found)


def require_sbom(predicate_type: str, predicate: Any) -> None:
    """Raises WrongSbom unless the predicate is of the format that its type names, in JSON."""
    document = predicate if isinstance(predicate, dict) else {}
    if sbom_format(predicate_type) is Sbom.CYCLONE_DX:
        if document.get("bomFormat") != "CycloneDX":
            raise WrongSbom("a CycloneDX attestation whose bomFormat is not CycloneDX")
    elif not str(document.get("spdxVersion", "")).startswith("SPDX-"):
        raise WrongSbom("an SPDX attestation without spdxVersion; SPDX 2 in JSON is read")
