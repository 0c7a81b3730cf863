"""A running cluster, as others use it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from devcluster import namespace
from devcluster.errors import NotUpError
from devcluster.files import write_json
from devcluster.layout import (
    GATEWAY_PORT,
    NODE_ADDRESS,
    PROMETHEUS_PORT,
    REGISTRY,
    REGISTRY_WITH_REFERRERS,
    Layout,
)
from devcluster.processes import recorded


@dataclass(frozen=True)
class Description:
    """What was asked for, as it is kept beside the cluster's state."""

    profile: str
    nodes: int
    outside_port: int
    parts: list[str]
    complete: bool

    def write(self, layout: Layout) -> None:
        """Keep it."""
        write_json(layout.description, asdict(self))

    @staticmethod
    def read(layout: Layout) -> Description | None:
        """What was kept, None where there is nothing or nothing whole."""
        try:
            return Description(**json.loads(layout.description.read_text()))
        except (OSError, ValueError, TypeError):
            return None


@dataclass(frozen=True)
class Cluster:
    """The addresses, files and credentials of a cluster that is up."""

    name: str
    profile: str
    state_dir: Path
    outside_port: int
    node_address: str = NODE_ADDRESS
    registry: str = REGISTRY
    registry_with_referrers: str = REGISTRY_WITH_REFERRERS
    # Profile full alone has these two.
    gateway: str = f"{NODE_ADDRESS}:{GATEWAY_PORT}"
    prometheus: str = f"http://{NODE_ADDRESS}:{PROMETHEUS_PORT}"

    @staticmethod
    def load(name: str = "iro") -> Cluster:
        """The cluster of that name.

        Raises:
            NotUpError: it was never started, was taken down, or a part of it has ended.
        """
        layout = Layout.of(name)
        description = Description.read(layout)
        start_it = f"start it with `python -m devcluster up --name {name}`"
        if description is None or not description.complete:
            raise NotUpError(f"The cluster {name} is not up: {start_it}.")
        ended = ended_parts(layout, description)
        if ended:
            raise NotUpError(f"The cluster {name} has lost {', '.join(ended)}: {start_it}.")
        return Cluster(name, description.profile, layout.state_dir, description.outside_port)

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig, for use inside the namespace."""
        return self._layout.kubeconfig("admin")

    @property
    def kubeconfig_outside(self) -> Path:
        """The admin's kubeconfig, for use outside, through the forwarder."""
        return self._layout.kubeconfig("admin-outside")

    @property
    def server(self) -> str:
        """The API server's URL inside the namespace."""
        return self._layout.server

    @property
    def ca_file(self) -> Path:
        """The certificate that signed the API server's."""
        return self._layout.pki / "ca.crt"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, one JSON event a line."""
        return self._layout.audit_log

    def enter(self, argv: list[str]) -> list[str]:
        """The command line that runs `argv` inside the namespace."""
        return namespace.entering(self._layout, argv)

    @property
    def _layout(self) -> Layout:
        return Layout(self.name, self.state_dir)


def ended_parts(layout: Layout, description: Description) -> list[str]:
    """The parts that should run and do not."""
    alive = {name for name, record in recorded(layout.records).items() if record.alive}
    return [name for name in description.parts if name not in alive]
