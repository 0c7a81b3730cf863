"""Writes which Pods Prometheus is to scrape, as often as that changes.

python -m devcluster.scrape_targets --name NAME     (inside the cluster's network)
"""

from __future__ import annotations

import argparse
import http.client
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from devcluster import access
from devcluster.files import write_text
from devcluster.layout import Layout
from devcluster.part import ApiClient
from devcluster.pki import Authority

_PODS = "/api/v1/pods"
_ANNOTATION = "prometheus.io"
_RELEASE = "immutablerelease.io"
_PAUSE = 1.0
_USER = "devcluster:scrape-targets"

Pod = Mapping[str, Any]


def groups(pods: Iterable[Pod]) -> list[dict[str, Any]]:
    """The running Pods that ask to be scraped, in the form of Prometheus' file discovery."""
    found = [group for pod in pods if (group := _group(pod)) is not None]
    return sorted(found, key=lambda group: str(group["targets"]))


def _group(pod: Pod) -> dict[str, Any] | None:
    metadata, status = pod["metadata"], pod.get("status", {})
    asked = metadata.get("annotations") or {}
    address = status.get("podIP")
    port = asked.get(f"{_ANNOTATION}/port") or _first_port(pod)
    if asked.get(f"{_ANNOTATION}/scrape") != "true" or status.get("phase") != "Running":
        return None
    if not address or not port:
        return None
    labels = {
        "__metrics_path__": asked.get(f"{_ANNOTATION}/path", "/metrics"),
        "namespace": metadata["namespace"],
        "pod": metadata["name"],
    }
    known = metadata.get("labels") or {}
    for name in ("release", "revision"):
        if value := known.get(f"{_RELEASE}/{name}"):
            labels[name] = value
    return {"targets": [f"{address}:{port}"], "labels": labels}


def _first_port(pod: Pod) -> int | None:
    ports = (port for each in pod["spec"]["containers"] for port in each.get("ports", ()))
    return next((int(port["containerPort"]) for port in ports), None)


def follow(client: ApiClient, path: Path) -> None:
    """List the Pods, then watch them until the server ends the watch or fails."""
    listed = client.get(_PODS)
    pods = {pod["metadata"]["uid"]: pod for pod in listed["items"]}
    _write(path, pods.values())
    for line in client.watch(_PODS, listed["metadata"]["resourceVersion"]):
        event = json.loads(line)
        if event["type"] == "ERROR":
            return
        pod = event["object"]
        if event["type"] == "DELETED":
            pods.pop(pod["metadata"]["uid"], None)
        else:
            pods[pod["metadata"]["uid"]] = pod
        _write(path, pods.values())


def _write(path: Path, pods: Iterable[Pod]) -> None:
    write_text(path, json.dumps(groups(pods), indent=1) + "\n")


def main() -> None:
    """Follow the Pods of `--name` for as long as the cluster runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    layout = Layout.of(parser.parse_args().name)
    authority = Authority(layout.pki)
    identity = authority.client("scrape-targets", user=_USER, group=access.ADMIN_GROUP)
    client = ApiClient(layout.server, authority, identity)
    while True:
        try:
            follow(client, layout.scrape_targets)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            print(f"following the Pods again: {failure}", flush=True)
            time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
