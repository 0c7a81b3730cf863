"""Two registries: one without the referrers API of OCI 1.1 and one with it.

Signatures are found differently in each, so both are needed to test that.
"""

from __future__ import annotations

from pathlib import Path

from devcluster.files import write_json
from devcluster.layout import REGISTRY, REGISTRY_WITH_REFERRERS, Layout
from devcluster.part import Part, serves

# All addresses of a namespace of its own: pods reach the registries at the node's address.
_ANY = "0.0.0.0"  # noqa: S104


def without_referrers(layout: Layout, program: Path) -> Part:
    """The distribution registry."""
    port = _port(REGISTRY)
    config = layout.config / "registry.json"
    content = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(layout.state_dir / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"{_ANY}:{port}"},
    }
    write_json(config, content)
    return Part(
        "registry",
        [str(program), "serve", str(config)],
        serves(f"http://{REGISTRY}/v2/"),
        (_ANY, port),
        # It would look for a collector of traces that is not there.
        {"OTEL_TRACES_EXPORTER": "none"},
    )


def with_referrers(layout: Layout, program: Path) -> Part:
    """Our own small registry around the go-containerregistry library."""
    port = _port(REGISTRY_WITH_REFERRERS)
    directory = layout.state_dir / "registry-with-referrers"
    argv = [str(program), f"-address={_ANY}:{port}", f"-directory={directory}"]
    check = serves(f"http://{REGISTRY_WITH_REFERRERS}/v2/")
    return Part("registry-with-referrers", argv, check, (_ANY, port))


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
