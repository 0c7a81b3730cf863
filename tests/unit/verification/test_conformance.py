"""The public Sigstore conformance cases, by path and by digest.

They are read from `../shared/sigstore-conformance` beside the checkout, or from the folder that
SIGSTORE_CONFORMANCE names; its README says what is in a case.
"""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.conformance.verify_bundle import main

_ROOT = Path(__file__).parents[3]
_CASES = Path(
    os.environ.get("SIGSTORE_CONFORMANCE", _ROOT.parent / "shared" / "sigstore-conformance")
)
_FOUND = sorted(path.parent for path in _CASES.glob("*/bundle.sigstore.json"))
_IDENTITY = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/"
    "workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
_ISSUER = "https://token.actions.githubusercontent.com"

pytestmark = pytest.mark.skipif(
    not _FOUND, reason=f"no conformance cases in {_CASES}; SIGSTORE_CONFORMANCE names their folder"
)


def _text(path: Path, otherwise: str) -> str:
    return path.read_text().strip() if path.exists() else otherwise


def _command(case: Path, artifact: str) -> list[str]:
    command = ["verify-bundle", "--bundle", str(case / "bundle.sigstore.json")]
    if (case / "key.pub").exists():
        command += ["--key", str(case / "key.pub")]
    else:
        command += ["--certificate-identity", _text(case / "identity", _IDENTITY)]
        command += ["--certificate-oidc-issuer", _text(case / "issuer", _ISSUER)]
    if (case / "trusted_root.json").exists():
        command += ["--trusted-root", str(case / "trusted_root.json")]
    return [*command, artifact]


def _artifact(case: Path) -> Path:
    own = case / "artifact"
    return own if own.exists() else _CASES / "a.txt"


@pytest.mark.parametrize("by", ["path", "digest"])
@pytest.mark.parametrize("case", _FOUND, ids=lambda path: path.name)
def test_a_case_is_judged_as_the_suite_expects(case: Path, by: str) -> None:
    artifact = _artifact(case)
    digest = f"sha256:{hashlib.sha256(artifact.read_bytes()).hexdigest()}"
    refused = main(_command(case, str(artifact) if by == "path" else digest)) != 0
    assert refused == case.name.endswith("_fail")


@pytest.mark.parametrize("name", ["happy-path-v0.1", "signature-mismatch_fail"])
def test_the_executable_says_the_same(name: str) -> None:
    case = _CASES / name
    command = [str(_ROOT / "tests" / "conformance" / "client")]
    done = subprocess.run(
        [*command, *_command(case, str(_artifact(case)))], capture_output=True, timeout=60
    )
    assert (done.returncode != 0) == name.endswith("_fail"), done.stderr
