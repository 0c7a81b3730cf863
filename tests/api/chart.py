"""The chart as helm renders it: the one source of the policies and permissions under test."""

import subprocess
from typing import Any

import yaml

from devcluster import tool
from tests.api.conftest import ROOT

Manifest = dict[str, Any]

CHART = ROOT / "charts" / "immutable-release-operator"
NAMESPACE = "immutable-release-system"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:immutable-release-operator"
BREAK_GLASS = "immutablerelease:break-glass"


def render(*settings: str) -> list[Manifest]:
    """All documents of the chart; settings such as `replicas=0` override its values."""
    options = [part for setting in settings for part in ("--set-json", setting)]
    done = subprocess.run(
        [str(tool("helm")), "template", "test", str(CHART), "--namespace", NAMESPACE, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def as_list(documents: list[Manifest]) -> Manifest:
    """The documents as one object that kubectl takes."""
    return {"apiVersion": "v1", "kind": "List", "items": documents}
