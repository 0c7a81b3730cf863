"""Where each build type keeps its source."""

from typing import Any

import pytest

from immutablerelease.api.attestations import SlsaProvenance
from immutablerelease.verification.errors import WrongProvenance
from immutablerelease.verification.provenance import (
    Provenance,
    parse_provenance,
    require_provenance,
)
from tests.unit.verification.attesting import (
    BUILDER,
    COMMIT,
    REPOSITORY,
    SLSA,
    SLSA_V02,
    slsa,
    slsa_v02,
)

BUILDKIT = "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"
CLOUD_BUILD = "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1"
GENERATOR = "https://github.com/slsa-framework/slsa-github-generator"


def _buildkit(uri: str) -> dict[str, Any]:
    source = {"uri": uri, "digest": {"sha1": COMMIT}, "path": "Dockerfile"}
    return slsa(buildType=BUILDKIT, externalParameters={"configSource": source})


def _cloud_build(repository: str, ref: str) -> dict[str, Any]:
    source = {"repository": repository, "ref": ref, "path": "cloudbuild.yaml"}
    return slsa(
        buildType=CLOUD_BUILD,
        externalParameters={"buildConfigSource": source},
        resolvedDependencies=[
            {"uri": "registry.example/builder", "digest": {"sha256": "ab" * 32}},
            {"uri": f"git+{REPOSITORY}", "digest": {"gitCommit": COMMIT}},
        ],
    )


@pytest.mark.parametrize(
    ("predicate_type", "predicate", "ref"),
    [
        (SLSA, slsa(), "refs/heads/main"),
        (
            SLSA,
            slsa(
                buildType="https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1"
            ),
            "refs/heads/main",
        ),
        (SLSA, _cloud_build(f"git+{REPOSITORY}", "refs/tags/v1"), "refs/tags/v1"),
        (SLSA, _cloud_build(f"{REPOSITORY}.git", COMMIT), COMMIT),
        (SLSA, _buildkit(f"{REPOSITORY}.git#refs/tags/v1"), "refs/tags/v1"),
        (SLSA, _buildkit(f"{REPOSITORY}.git#main:cmd/app"), "main"),
        (SLSA, _buildkit(f"{REPOSITORY}.git"), ""),
        (SLSA_V02, slsa_v02(), "refs/heads/main"),
        (SLSA_V02, slsa_v02(buildType=f"{GENERATOR}/generic@v1"), "refs/heads/main"),
        (
            SLSA_V02,
            slsa_v02(
                f"{REPOSITORY}.git#refs/tags/v1", buildType="https://mobyproject.org/buildkit@v1"
            ),
            "refs/tags/v1",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_source_is_found(predicate_type: str, predicate: dict[str, Any], ref: str) -> None:
    assert parse_provenance(predicate_type, predicate) == Provenance(
        REPOSITORY, COMMIT, BUILDER, ref
    )


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({}, True),
        ({"sourceRepository": "https://github.com/shop/*"}, True),
        ({"sourceRepository": "https://github.com/**"}, True),
        ({"sourceRepository": "https://github.com/*"}, False),
        ({"sourceRepository": "https://github.com/shop/ap"}, False),
        ({"ref": "refs/heads/*"}, True),
        ({"ref": "refs/tags/*"}, False),
        ({"ref": "main"}, False),
        ({"commit": COMMIT}, True),
        ({"commit": "2e" * 20}, False),
        ({"builder": "https://github.com/actions/runner/*"}, True),
        ({"builder": "https://github.com/actions/runner"}, False),
    ],
    ids=str,
)
def test_patterns_match_the_whole(wanted: dict[str, str], holds: bool) -> None:
    policy = SlsaProvenance.model_validate(
        {"sourceRepository": REPOSITORY, "builder": BUILDER, **wanted}
    )
    found = Provenance(REPOSITORY, COMMIT, BUILDER, "refs/heads/main")
    if holds:
        require_provenance(policy, found)
    else:
        with pytest.raises(WrongProvenance):
            require_provenance(policy, found)
