"""Brings a cluster up: makes what is missing, starts what does not run, waits until it serves.

Run again it changes nothing on a cluster that is whole, and repairs one that lost any or all of its
processes.
"""

from __future__ import annotations

import re
import shutil
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from devcluster import (
    access,
    fake_nodes,
    gateway,
    images,
    mounts,
    namespace,
    packages,
    plan,
    preflight,
    tunables,
)
from devcluster.cgroups import Group
from devcluster.cluster import Cluster, Description, ended_parts
from devcluster.errors import StartError, TakenError
from devcluster.layout import Layout, cache_home, state_home
from devcluster.locks import only_one
from devcluster.part import ApiClient, Check, Part, last_lines
from devcluster.pki import Authority
from devcluster.processes import Record, kill, name_of, recorded, seen, start
from devcluster.progress import say, step
from devcluster.recipes import NEEDED
from devcluster.toolchain import missing, tools

DEFAULT_PROFILE = "full"
DEFAULT_NODES = 3

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_PART_DEADLINE = 90.0
_NODE_DEADLINE = 60.0
_POLL = 0.1
# Joins the group and becomes the command, so that no moment is left in which it is outside.
_JOIN = 'echo $$ > "$0" && exec "$@"'


def up(
    name: str,
    profile: str | None = None,
    *,
    nodes: int | None = None,
    outside_port: int | None = None,
) -> Cluster:
    """Have the cluster up.

    Args:
        name: its name; also that of its network namespace and of its node.
        profile: `api` or `full`; what it was, or full, where not given.
        nodes: how many fake nodes there are in profile api.
        outside_port: where the API server is reached from outside; any free one by default.
    """
    if not _NAME.fullmatch(name):
        raise TakenError(
            f"{name!r} cannot name a cluster: take up to 32 lower-case letters, digits and hyphens."
        )
    facts = preflight.gather(state_home(), cache_home())
    preflight.require_machine(facts)
    layout = Layout.of(name)
    with only_one(layout.lock, name):
        known = Description.read(layout)
        wanted = _wanted(known, name, profile, nodes)
        if known == wanted and _serves(layout, wanted, outside_port):
            return Cluster.load(name)
        preflight.require_room(facts, building=bool(missing(NEEDED[wanted.profile])))
        _bring_up(layout, wanted, outside_port)
    return Cluster.load(name)


def _wanted(
    known: Description | None, name: str, profile: str | None, nodes: int | None
) -> Description:
    if known is None:
        return Description(profile or DEFAULT_PROFILE, nodes or DEFAULT_NODES, 0, [], False)
    if profile not in (None, known.profile):
        raise TakenError(
            f"The cluster {name} exists with profile {known.profile}: run `python -m devcluster "
            f"down --name {name}` first, or choose another --name."
        )
    return Description(
        known.profile, nodes or known.nodes, known.outside_port, known.parts, known.complete
    )


def _serves(layout: Layout, known: Description, outside_port: int | None) -> bool:
    if not known.complete or ended_parts(layout, known) or not namespace.is_ours(layout):
        return False
    if outside_port not in (None, known.outside_port):
        return False
    ready = plan.api_client(layout).check("/readyz")
    return namespace.inside(layout.namespace, ready) is None


def _bring_up(layout: Layout, wanted: Description, outside_port: int | None) -> None:
    packages.ensure(packages.NEEDED[wanted.profile])
    programs = tools(NEEDED[wanted.profile])
    layout.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = _outside_port(layout, wanted.outside_port, outside_port)
    # Written before anything starts: a `down` after a failure knows what there may be.
    Description(wanted.profile, wanted.nodes, port, wanted.parts, False).write(layout)
    if not namespace.is_ours(layout):
        # Whatever still runs is in a namespace that nobody can enter any more.
        kill([*recorded(layout.records).values(), *seen(Group.of(layout.name).pids())])
    namespace.ensure(layout)
    Authority(layout.pki).ensure()
    client = plan.api_client(layout)
    _write_kubeconfigs(layout, port)
    if wanted.profile == "full":
        Group.of(layout.name).ensure()
        tunables.keep(layout)
        _clear_after_kill(layout)
    began = datetime.now(UTC)
    stages = plan.stages(layout, wanted.profile, programs, client, port)
    for stage in stages:
        if stage is stages[-1]:
            _prepare_for_workers(layout, wanted, client, programs["gateway-api"])
        with step(stage.title, f"starting {', '.join(part.name for part in stage.parts)}"):
            _start_stage(layout, stage, wanted.profile)
    with step("nodes", "waiting until they are Ready"):
        _await_nodes(layout, wanted, client, began)
    parts = [part.name for stage in stages for part in stage.parts]
    Description(wanted.profile, wanted.nodes, port, parts, True).write(layout)


def _outside_port(layout: Layout, known: int, asked: int | None) -> int:
    forwarder = recorded(layout.records).get(plan.FORWARDER)
    if asked is not None and asked != known:
        if forwarder is not None:
            kill([forwarder])
        return asked
    held_by_us = forwarder is not None and forwarder.alive
    if known and (asked or held_by_us or preflight.is_free("127.0.0.1", known)):
        return known
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def _write_kubeconfigs(layout: Layout, port: int) -> None:
    authority = Authority(layout.pki)
    access.write_admin(layout, authority, layout.server, layout.kubeconfig("admin"))
    outside = f"https://127.0.0.1:{port}"
    access.write_admin(layout, authority, outside, layout.kubeconfig("admin-outside"))


def _clear_after_kill(layout: Layout) -> None:
    """Remove what containers that were killed with their runtime left behind.

    A runtime that died alone is only started again: it finds its shims and goes on. When the shims
    are gone too, nothing of what they held is alive, and it starts as after a reboot.
    """
    group = Group.of(layout.name)
    runtime = recorded(layout.records).get("containerd")
    shims = [pid for pid in group.pids("services") if name_of(pid).startswith("containerd-shim")]
    if (runtime is not None and runtime.alive) or shims:
        return
    orphans = seen(group.pids("kubepods"))
    left = mounts.below(layout.containerd)
    if orphans or left:
        say("leftovers", f"ending {len(orphans)} processes, undoing {len(left)} mounts")
    kill(orphans)
    mounts.undo(layout.containerd)
    for folder in ("state", "runc"):
        shutil.rmtree(layout.containerd / folder, ignore_errors=True)


def _start_stage(layout: Layout, stage: plan.Stage, profile: str) -> None:
    known = recorded(layout.records)
    started: list[tuple[Part, Record]] = []
    for part in stage.parts:
        record = known.get(part.name)
        if record is None or not record.alive:
            # What is ending may still hold its port.
            kill([record] if record else [])
            record = _start(layout, part, profile)
        started.append((part, record))
    for part, record in started:
        _await_part(layout, part, record)


def _start(layout: Layout, part: Part, profile: str) -> Record:
    _require_free(layout, part)
    argv = part.argv if part.outside else namespace.entering(layout, part.argv)
    if profile == "full":
        members = Group.of(layout.name).services / "cgroup.procs"
        argv = ["sh", "-c", _JOIN, str(members), *argv]
    log = layout.logs / f"{part.name}.log"
    return start(part.name, argv, log=log, records=layout.records, environment=part.environment)


def _require_free(layout: Layout, part: Part) -> None:
    if part.listens is None:
        return
    host, port = part.listens
    if part.outside:
        preflight.require_free_port(host, port, "outside the cluster")
        return
    where = f"in the namespace {layout.name}"
    namespace.inside(layout.namespace, lambda: preflight.require_free_port(host, port, where))


def _await_part(layout: Layout, part: Part, record: Record) -> None:
    deadline = time.monotonic() + _PART_DEADLINE
    while True:
        reason = part.check() if part.outside else namespace.inside(layout.namespace, part.check)
        if reason is None:
            return
        log = layout.logs / f"{part.name}.log"
        if not record.alive:
            raise StartError(f"{part.name} ended at once ({log}): {last_lines(log)}")
        if time.monotonic() > deadline:
            raise StartError(
                f"{part.name} does not serve after {_PART_DEADLINE:.0f} s ({reason}; {log}): "
                f"{last_lines(log)}"
            )
        time.sleep(_POLL)


def _prepare_for_workers(
    layout: Layout, wanted: Description, client: ApiClient, definitions: Path
) -> None:
    if wanted.profile == "full":
        images.push_pause(layout)

    def create() -> None:
        bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        client.create(bindings, access.CLUSTER_ADMIN_BINDING)
        gateway.apply_definitions(client, definitions / gateway.DEFINITIONS)
        if wanted.profile == "api":
            for number in range(wanted.nodes):
                client.create("/api/v1/nodes", fake_nodes.node(number))

    namespace.inside(layout.namespace, create)


def _await_nodes(layout: Layout, wanted: Description, client: ApiClient, began: datetime) -> None:
    names = (
        [f"node-{number}" for number in range(wanted.nodes)]
        if wanted.profile == "api"
        else [layout.node_name]
    )
    checks = [_node_is_ready(client, name) for name in names]
    if wanted.profile == "full":
        checks.append(_kubelet_reported(client, layout.node_name, began))
        checks.append(gateway.class_is_accepted(client))
    checks.append(client.check("/api/v1/namespaces/default/serviceaccounts/default"))
    deadline = time.monotonic() + _NODE_DEADLINE
    for check in checks:
        while (reason := namespace.inside(layout.namespace, check)) is not None:
            if time.monotonic() > deadline:
                raise StartError(
                    f"The nodes are not Ready after {_NODE_DEADLINE:.0f} s ({reason}): see "
                    f"{layout.logs / 'kubelet.log'}."
                )
            time.sleep(_POLL)


def _node_is_ready(client: ApiClient, name: str) -> Check:
    def check() -> str | None:
        try:
            conditions = client.get(f"/api/v1/nodes/{name}")["status"].get("conditions", [])
        except OSError as failure:
            return f"node {name}: {failure}"
        ready = [condition for condition in conditions if condition["type"] == "Ready"]
        if ready and ready[0]["status"] == "True":
            return None
        return f"node {name}: {ready[0]['message'] if ready else 'no condition yet'}"

    return check


def _kubelet_reported(client: ApiClient, name: str, since: datetime) -> Check:
    """The node may be Ready only in memory of a kubelet that was killed: its lease tells."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}"

    def check() -> str | None:
        try:
            renewed = client.get(path)["spec"]["renewTime"]
        except (OSError, KeyError) as failure:
            return f"lease of {name}: {failure}"
        return None if datetime.fromisoformat(renewed) >= since else f"lease of {name} is old"

    return check
