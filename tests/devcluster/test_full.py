"""The cluster with a real node: it runs pods, survives every kill, and goes without a trace."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from devcluster import Cluster, NotUpError, images, namespace, tool
from devcluster.down import down
from devcluster.errors import TakenError
from devcluster.images import PAUSE
from devcluster.layout import Layout
from devcluster.processes import kill, name_of, recorded
from devcluster.up import up
from tests.devcluster import machine
from tests.devcluster.conftest import NAME
from tests.waiting import eventually

REPLICAS = 2
QUICK = 2.0


def deployment(image: str = PAUSE) -> str:
    labels = {"app": "quiet"}
    container = {"name": "quiet", "image": image}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "quiet"},
            "spec": {
                "replicas": REPLICAS,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
                },
            },
        }
    )


@pytest.fixture(scope="module")
def running(full: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The cluster with two pods on it."""
    manifest = tmp_path_factory.mktemp("manifests") / "quiet.json"
    manifest.write_text(deployment())
    machine.kubectl(full, "apply", "--filename", str(manifest))
    await_pods(full)
    return full


def await_pods(cluster: Cluster) -> None:
    selected = ("get", "pods", "--selector=app=quiet", "--output=json")

    def ready() -> bool:
        pods = json.loads(machine.kubectl(cluster, *selected))["items"]
        good = [pod for pod in pods if is_ready(pod) and is_alive(pod)]
        return len(good) == len(pods) == REPLICAS

    eventually(ready, "all pods are Ready and their processes run")


def is_ready(pod: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def is_alive(pod: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    """The API may still show a pod that was killed with its kubelet."""
    containers = pod["status"].get("containerStatuses", [])
    ids = [status.get("containerID", "").removeprefix("containerd://") for status in containers]
    tasks = Path("/sys/fs/cgroup").glob(f"**/devcluster-{NAME}/**/*{ids[0]}*") if ids else ()
    return any(map(has_processes, tasks))


def has_processes(group: Path) -> bool:
    try:
        return bool((group / "cgroup.procs").read_text().strip())
    except OSError:
        # It went after it was listed.
        return False


def pids_named(*names: str) -> list[int]:
    return [r.pid for r in machine.processes_of(NAME) if name_of(r.pid) in names]


def test_up_again_is_quick_and_changes_nothing(running: Cluster) -> None:
    before = recorded(Layout.of(NAME).records)
    started = time.monotonic()
    again = up(NAME)
    assert time.monotonic() - started < QUICK
    assert again == running
    assert recorded(Layout.of(NAME).records) == before


def test_another_profile_is_refused_while_it_is_up(running: Cluster) -> None:
    with pytest.raises(TakenError, match=f"with profile full: run .* down --name {NAME}"):
        up(NAME, "api")


def test_pods_reach_each_other_and_the_node_through_a_service(running: Cluster) -> None:
    address = machine.kubectl(
        running, "get", "service", "kubernetes", "--output=jsonpath={.spec.clusterIP}"
    )

    def connect() -> None:
        socket.create_connection((address, 443), timeout=5).close()

    namespace.inside(Layout.of(NAME).namespace, connect)


def test_the_cluster_is_reached_from_outside(running: Cluster) -> None:
    config = f"--kubeconfig={running.kubeconfig_outside}"
    kubectl = subprocess.run(
        [str(tool("kubectl")), config, "get", "nodes", "--output=name"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert kubectl.stdout.strip() == f"node/{NAME}"


@pytest.mark.parametrize(("registry", "status"), [("127.0.0.1:5000", 404), ("127.0.0.1:5001", 200)])
def test_only_the_second_registry_has_the_referrers_api(
    running: Cluster, registry: str, status: int
) -> None:
    ref = images.build_app_image(f"{registry}/quiet:1", {"/a": b"a"}, ["/a"], cluster=NAME)
    digest = ref.rpartition("@")[2]
    url = f"http://{registry}/v2/quiet/referrers/{digest}"
    done = machine.run(NAME, "curl", "-so", "/dev/null", "-w", "%{http_code}", url)
    assert done.stdout == str(status)


def test_exec_passes_the_exit_status_on(running: Cluster) -> None:
    assert machine.run(NAME, "sh", "-c", "exit 7").returncode == 7


def test_exec_passes_signals_on(running: Cluster) -> None:
    script = "trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    argv = [sys.executable, "-m", "devcluster", "exec", "--name", NAME, "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.stdout.readline() == "told\n"
    assert child.returncode == 3


def audited(cluster: Cluster) -> list[dict[str, Any]]:
    """The entries of the audit log, without one that is being written."""
    lines = cluster.audit_log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def readers_in(events: Sequence[Mapping[str, Any]]) -> set[str]:
    reads = [event for event in events if event["verb"] in ("get", "list", "watch")]
    return {event["user"]["username"] for event in reads}


def test_the_audit_log_has_peoples_reads_and_none_of_the_systems(running: Cluster) -> None:
    machine.kubectl(running, "get", "configmaps")
    # An entry comes just after the answer.
    eventually(lambda: "admin" in readers_in(audited(running)), "the admin's read is in the log")
    events = audited(running)
    readers = readers_in(events)
    assert not [name for name in readers if name.startswith("system:node:")]
    assert {event["level"] for event in events} == {"Metadata"}


def test_cluster_admin_is_allowed_by_rbac_alone(running: Cluster) -> None:
    context = f"--context={NAME}-cluster-admin"
    answer = machine.kubectl(running, context, "auth", "whoami", "--output=json")
    groups = json.loads(answer)["status"]["userInfo"]["groups"]
    assert "system:masters" not in groups
    assert machine.kubectl(running, context, "auth", "can-i", "*", "*").strip() == "yes"


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("containerd",), id="the runtime"),
        pytest.param(("containerd-shim",), id="the shims of all pods"),
        pytest.param(("kubelet", "kube-proxy"), id="the node's own parts"),
        pytest.param(("etcd", "kube-apiserver"), id="the store and its server"),
    ],
)
def test_up_repairs_what_was_killed(running: Cluster, names: tuple[str, ...]) -> None:
    for pid in pids_named(*names):
        os.kill(pid, signal.SIGKILL)
    up(NAME)
    await_pods(running)


def test_up_recovers_after_everything_was_killed(running: Cluster) -> None:
    kill(machine.processes_of(NAME))
    with pytest.raises(NotUpError, match="has lost etcd"):
        Cluster.load(NAME)
    up(NAME)
    await_pods(running)
    for registry in (running.registry, running.registry_with_referrers):
        digest = machine.run(NAME, "crane", "digest", "--insecure", f"{registry}/quiet:1")
        assert digest.returncode == 0, digest.stderr


def test_a_port_taken_inside_is_named(running: Cluster) -> None:
    kill([recorded(Layout.of(NAME).records)["kube-scheduler"]])
    handle = Layout.of(NAME).namespace
    said = rf"Port 10259 .* in the namespace {NAME} is taken"
    with (
        namespace.inside(handle, lambda: socket.create_server(("127.0.0.1", 10259))),
        pytest.raises(TakenError, match=said),
    ):
        up(NAME)
    up(NAME)


def test_a_port_taken_outside_is_named(running: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(TakenError, match=f"Port {port} of 127.0.0.1 outside the cluster"):
            up(NAME, outside_port=port)
    assert up(NAME, outside_port=port).outside_port == port


def test_down_leaves_nothing(running: Cluster) -> None:
    rules = machine.firewall()
    watched = machine.processes_of(NAME)
    sockets = machine.shim_sockets(NAME)
    sandboxes = machine.sandboxes(NAME)
    assert len(watched) > 10
    assert len(sockets) >= REPLICAS
    assert len(sandboxes) >= REPLICAS
    waiting = subprocess.Popen(running.enter(["sleep", "600"]))
    assert down(NAME)
    assert waiting.wait(timeout=5) == -signal.SIGKILL
    assert not [record for record in watched if record.alive]
    assert not [path for path in sockets if path.exists()]
    assert not [found for each in sandboxes for found in Path("/var/lib/cni").rglob(f"*{each}*")]
    assert machine.traces_of(NAME) == []
    assert machine.firewall() == rules
    assert not down(NAME)


def test_after_down_it_starts_anew(running: Cluster) -> None:
    cluster = up(NAME, "full")
    assert machine.kubectl(cluster, "get", "deployments", "--output=name") == ""
