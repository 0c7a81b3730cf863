"""The chart as helm renders it: the one source of the policies and permissions under test."""

import json
import subprocess
from typing import Any

import yaml

from devcluster import tool
from tests.api.conftest import ROOT
from tests.api.kubectl import Kubectl

Manifest = dict[str, Any]

CHART = ROOT / "charts" / "immutable-release-operator"
NAMESPACE = "immutable-release-system"
NAMESPACE_OBJECT: Manifest = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": NAMESPACE},
}
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


def apply(kubectl: Kubectl, documents: list[Manifest]) -> None:
    """Apply documents that stand in several namespaces, which kubectl does one by one."""
    for namespace, some in _by_namespace(documents).items():
        options = ("--server-side", "--force-conflicts", "-f", "-")
        kubectl.within(namespace)("apply", *options, stdin=as_list(some))


def delete(kubectl: Kubectl, documents: list[Manifest]) -> None:
    """Delete what of the documents is there, and wait for none of it."""
    for namespace, some in _by_namespace(documents).items():
        options = ("--ignore-not-found", "--wait=false", "-f", "-")
        kubectl.within(namespace)("delete", *options, stdin=as_list(some))


def as_list(documents: list[Manifest]) -> str:
    """The documents as one object that kubectl reads."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})


def _by_namespace(documents: list[Manifest]) -> dict[str, list[Manifest]]:
    found: dict[str, list[Manifest]] = {}
    for document in documents:
        found.setdefault(document["metadata"].get("namespace", NAMESPACE), []).append(document)
    return found
