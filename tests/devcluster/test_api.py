"""The cluster with fake nodes, and names that are not free."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster import Cluster, NotUpError
from devcluster.down import down
from devcluster.errors import TakenError
from devcluster.layout import Layout
from devcluster.processes import kill
from devcluster.up import up
from tests.devcluster import machine
from tests.devcluster.conftest import NAME
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "imagined"},
    "spec": {"containers": [{"name": "c", "image": "nowhere.invalid/none:1"}]},
}


def test_pods_on_fake_nodes_become_ready(api: Cluster, tmp_path: Path) -> None:
    nodes = machine.kubectl(api, "get", "nodes", "--output=name").split()
    assert nodes == ["node/node-0", "node/node-1"]
    manifest = tmp_path / "pod.json"
    manifest.write_text(json.dumps(POD))
    machine.kubectl(api, "apply", "--filename", str(manifest))
    machine.kubectl(api, "wait", "--for=condition=Ready", "pod/imagined", "--timeout=30s")


def test_the_gateway_api_is_defined(api: Cluster) -> None:
    served = machine.kubectl(api, "api-resources", "--api-group=gateway.networking.k8s.io")
    assert "httproutes" in served


def test_it_recovers_and_goes_like_the_full_one(api: Cluster) -> None:
    kill(machine.processes_of(NAME))
    up(NAME, nodes=3)
    assert len(machine.kubectl(api, "get", "nodes", "--output=name").split()) == 3
    watched = machine.processes_of(NAME)
    down(NAME)
    assert not [record for record in watched if record.alive]
    assert machine.traces_of(NAME) == []


def test_it_recovers_when_its_namespace_was_deleted(api: Cluster) -> None:
    subprocess.run(["ip", "netns", "delete", NAME], check=True)
    up(NAME)
    assert len(machine.kubectl(api, "get", "nodes", "--output=name").split()) == 2


def test_somebody_elses_namespace_is_neither_used_nor_removed(capable: None) -> None:
    down(NAME)
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        with pytest.raises(TakenError, match=f"namespace {NAME} exists and this cluster did not"):
            up(NAME, "api")
        down(NAME)
        assert Layout.of(NAME).namespace.exists()
    finally:
        subprocess.run(["ip", "netns", "delete", NAME], check=True)


def test_a_name_that_cannot_be_is_refused(capable: None) -> None:
    with pytest.raises(TakenError, match="'No/pe' cannot name a cluster"):
        up("No/pe")


def test_a_cluster_that_was_never_started_says_how() -> None:
    with pytest.raises(NotUpError, match="start it with `python -m devcluster up --name nobody`"):
        Cluster.load("nobody")


def test_the_command_line_prints_the_sentence_and_nothing_else() -> None:
    argv = [sys.executable, "-m", "devcluster", "status", "--name", "nobody"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("devcluster: The cluster nobody is not up")
    assert done.stderr.count("\n") == 1


def test_the_audit_log_has_what_admission_policies_annotate(api: Cluster, tmp_path: Path) -> None:
    manifest = tmp_path / "policy.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": annotating()}))
    machine.kubectl(api, "apply", "--filename", str(manifest))

    def is_annotated() -> bool:
        # A policy takes effect about a second after it is written.
        machine.kubectl(api, "create", "configmap", "--dry-run=server", "watched")
        return "noticer/seen" in api.audit_log.read_text()

    eventually(is_annotated, "the annotation is in the audit log")


def annotating() -> list[dict[str, object]]:
    group = "admissionregistration.k8s.io"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["configmaps"],
    }
    policy = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "true"}],
        "auditAnnotations": [{"key": "seen", "valueExpression": "string(object.metadata.name)"}],
    }
    binding = {"policyName": "noticer", "validationActions": ["Deny"]}
    kinds = {"ValidatingAdmissionPolicy": policy, "ValidatingAdmissionPolicyBinding": binding}
    return [
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "noticer"}, "spec": spec}
        for kind, spec in kinds.items()
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_somebody_who_is_not_root_is_told_so() -> None:
    python = shutil.which("python3", path="/usr/bin")
    if python is None or not os.access(ROOT, os.X_OK):
        pytest.skip("needs a Python that other users can run")
    argv = [python, "-m", "devcluster", "up"]
    done = subprocess.run(argv, cwd=ROOT, user=65534, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("devcluster: The local cluster needs root")
    assert done.stderr.count("\n") == 1
