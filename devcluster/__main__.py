"""The command line: up, status, exec, down and tools."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from devcluster import gateway, preflight
from devcluster.cluster import Cluster, Description
from devcluster.down import down
from devcluster.errors import DevclusterError, NotUpError
from devcluster.layout import Layout, cache_home, state_home
from devcluster.plan import PROFILES
from devcluster.processes import recorded
from devcluster.recipes import RECIPES, USUAL
from devcluster.toolchain import search_path, tools
from devcluster.up import DEFAULT_NODES, DEFAULT_PROFILE, up

_NAME = "iro"
_NOT_UP = 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.run is not _tools:
            preflight.require_machine(preflight.gather(state_home(), cache_home()))
        return int(options.run(options))
    except DevclusterError as error:
        print(f"devcluster: {error}", file=sys.stderr)
        return _NOT_UP if isinstance(error, NotUpError) else 1
    except KeyboardInterrupt:
        print("devcluster: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    start = commands.add_parser("up", help="start a cluster, or repair it")
    start.add_argument(
        "--profile",
        choices=PROFILES,
        help=f"api: control plane and fake nodes; full: a real node too ({DEFAULT_PROFILE})",
    )
    start.add_argument("--nodes", type=int, help=f"fake nodes of profile api ({DEFAULT_NODES})")
    start.add_argument(
        "--port", type=int, help="port on 127.0.0.1 that reaches the API server from outside"
    )
    start.set_defaults(run=_up)
    shown = commands.add_parser("status", help="say what runs")
    shown.set_defaults(run=_status)
    inner = commands.add_parser("exec", help="run a command inside the cluster's network")
    inner.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD ARGS...")
    inner.set_defaults(run=_exec)
    end = commands.add_parser("down", help="end the cluster and leave nothing of it")
    end.set_defaults(run=_down)
    built = commands.add_parser("tools", help="build the pinned tools and print their paths")
    built.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"{', '.join(RECIPES)} (without a name: all but those that no cluster needs)",
    )
    built.set_defaults(run=_tools)
    for command in (start, shown, inner, end):
        command.add_argument("--name", default=_NAME, help=f"the cluster's name ({_NAME})")
    return parser


def _up(options: argparse.Namespace) -> int:
    cluster = up(options.name, options.profile, nodes=options.nodes, outside_port=options.port)
    name = "" if cluster.name == _NAME else f" --name {cluster.name}"
    print(f"The cluster {cluster.name} is up (profile {cluster.profile}).")
    print(f"  inside   python -m devcluster exec{name} -- kubectl get nodes")
    print(f"  outside  export KUBECONFIG={cluster.kubeconfig_outside}")
    print(f"  the end  python -m devcluster down{name}")
    return 0


def _status(options: argparse.Namespace) -> int:
    layout = Layout.of(options.name)
    description = Description.read(layout)
    records = recorded(layout.records)
    for name in description.parts if description else ():
        record = records.get(name)
        running = record is not None and record.alive
        print(f"{name:<26}{f'running  pid {record.pid}' if running and record else 'ended'}")
    cluster = Cluster.load(options.name)
    print(f"The cluster {cluster.name} is up (profile {cluster.profile}).")
    if cluster.profile == "full":
        print(f"  Gateways    {cluster.gateway} (GatewayClass {gateway.CLASS})")
        print(f"  Prometheus  {cluster.prometheus}")
    return 0


def _exec(options: argparse.Namespace) -> NoReturn:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        print("devcluster: nothing to run: write `exec -- CMD ARGS...`", file=sys.stderr)
        raise SystemExit(2)
    cluster = Cluster.load(options.name)
    environment = {
        **os.environ,
        "KUBECONFIG": str(cluster.kubeconfig),
        # With the commands of this Python's packages: `kubectl immutable` is one of them.
        "PATH": os.pathsep.join(
            [
                search_path(RECIPES),
                str(Path(sys.executable).parent),
                os.environ.get("PATH", os.defpath),
            ]
        ),
    }
    argv = cluster.enter(command)
    # Becomes the command: its exit status and every signal are its own.
    os.execvpe(argv[0], argv, environment)  # noqa: S606


def _down(options: argparse.Namespace) -> int:
    found = down(options.name)
    print(f"The cluster {options.name} is {'gone' if found else 'not there'}.")
    return 0


def _tools(options: argparse.Namespace) -> int:
    for path in tools(options.names or USUAL).values():
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
