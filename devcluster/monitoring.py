"""Prometheus, scraping every Pod that asks for it by annotation.

    prometheus.io/scrape: "true"
    prometheus.io/port: "8080"      # the first port of its containers where it is not given
    prometheus.io/path: /metrics    # the default

Samples carry the labels `namespace`, `pod`, and `release` and `revision` where the Pod has them.
Debian's Prometheus is built without discovery in Kubernetes, so `devcluster.scrape_targets` writes
the list that it reads.
"""

from __future__ import annotations

import sys
from pathlib import Path

from devcluster.files import write_json
from devcluster.layout import NODE_ADDRESS, PROMETHEUS_PORT, Layout
from devcluster.part import Check, Part, serves

_INTERVAL = "1s"
_RETENTION = "2h"


def prometheus(layout: Layout) -> Part:
    """The server; its data goes with the cluster."""
    config = layout.config / "prometheus.json"
    job = {"job_name": "pods", "file_sd_configs": [{"files": [str(layout.scrape_targets)]}]}
    write_json(
        config,
        {
            "global": {"scrape_interval": _INTERVAL, "scrape_timeout": _INTERVAL},
            "scrape_configs": [job],
        },
    )
    argv = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={layout.state_dir / 'prometheus'}",
        f"--storage.tsdb.retention.time={_RETENTION}",
        f"--web.listen-address={NODE_ADDRESS}:{PROMETHEUS_PORT}",
        "--log.level=warn",
    ]
    check = serves(f"http://{NODE_ADDRESS}:{PROMETHEUS_PORT}/-/ready")
    return Part("prometheus", argv, check, (NODE_ADDRESS, PROMETHEUS_PORT))


def scrape_targets(layout: Layout) -> Part:
    """The list of Pods, kept up to date."""
    # Prometheus watches the folder from its start on.
    layout.scrape_targets.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "devcluster.scrape_targets", f"--name={layout.name}"]
    environment = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    return Part("scrape-targets", argv, _is_written(layout.scrape_targets), None, environment)


def _is_written(path: Path) -> Check:
    return lambda: None if path.exists() else f"{path} is not written yet"
