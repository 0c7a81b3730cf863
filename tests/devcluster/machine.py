"""What a cluster could leave on the machine, and how one looks at a running one."""

import os
import subprocess
import sys
from pathlib import Path

from devcluster import Cluster
from devcluster.cgroups import Group
from devcluster.layout import Layout
from devcluster.processes import Record, recorded, seen


def run(cluster: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command inside, as people do."""
    return devcluster("exec", "--name", cluster, "--", *command)


def devcluster(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line itself."""
    argv = [sys.executable, "-m", "devcluster", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)


def kubectl(cluster: Cluster, *arguments: str) -> str:
    """Run kubectl inside and return what it printed; it must succeed."""
    done = run(cluster.name, "kubectl", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def processes_of(cluster: str) -> list[Record]:
    """Everything that a cluster runs, pods included."""
    own = recorded(Layout.of(cluster).records).values()
    found = seen(Group.of(cluster).pids())
    return [record for record in (*own, *found) if record.there]


def shim_sockets(cluster: str) -> list[Path]:
    """The sockets that containers' shims keep outside the state directory."""
    tasks = Layout.of(cluster).containerd / "state" / "io.containerd.runtime.v2.task"
    addresses = [file.read_text().strip() for file in tasks.glob("*/*/address")]
    return [Path(address.removeprefix("unix://")) for address in addresses]


def sandboxes(cluster: str) -> list[str]:
    """The ids of the pods that have an address."""
    results = Path("/var/lib/cni/results").glob(f"devcluster-{cluster}-*-eth0")
    return [result.name.split("-")[-2] for result in results]


def firewall() -> str:
    """The machine's own rules, as both tools tell them."""
    tools = (["nft", "list", "ruleset"], ["iptables-save"])
    outputs = [subprocess.run(tool, capture_output=True, text=True, check=False) for tool in tools]
    # Counters and times change by themselves.
    lines = "".join(output.stdout for output in outputs).splitlines()
    return "\n".join(line for line in lines if not line.startswith(("#", ":")))


def traces_of(cluster: str) -> list[str]:
    """Every process, mount, namespace, control group or file that still names the cluster."""
    state = str(Layout.of(cluster).state_dir)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    traces = [f"mount {line}" for line in mounts if f"{state}/" in line or f"/{cluster} " in line]
    traces += [
        f"group {path}" for path in Path("/sys/fs/cgroup").glob(f"**/{Group.of(cluster).name}")
    ]
    traces += [f"process {pid}" for pid in _mentioning(f"{state}/")]
    logs = Path("/var/log/containers").glob("*")
    traces += [f"log {log}" for log in logs if str(log.readlink()).startswith(f"{state}/")]
    traces += [f"network {path}" for path in Path("/var/lib/cni").glob(f"*/devcluster-{cluster}-*")]
    gone = (Path(state), Layout.of(cluster).namespace)
    return traces + [f"path {path}" for path in gone if path.exists()]


def _mentioning(text: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in line and folder.name != str(os.getpid()):
            found.append(f"{folder.name} {line}")
    return found
