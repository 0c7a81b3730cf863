"""The way in for users: Traefik as the data plane of the Gateway API.

Its one entry point listens on the node's address; every Gateway of the class shares it, and what
tells them apart is the host name. The API's own definitions come with both profiles: a cluster
without them is another cluster to an operator that looks for them.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

from devcluster import access
from devcluster.errors import MissingPackagesError
from devcluster.layout import GATEWAY_PORT, NODE_ADDRESS, Layout
from devcluster.part import ApiClient, Check, Part, serves
from devcluster.pki import Authority

CLASS = "traefik"
DEFINITIONS = "config/crd/standard"

_API = "/apis/gateway.networking.k8s.io/v1"
_CLASS_PATH = f"{_API}/gatewayclasses/{CLASS}"
_DEFINITION_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_GROUP = "gateway.networking.k8s.io"
_PING_PORT = 8001


def program() -> Path:
    """Traefik's, as the development requirements install it.

    Raises:
        MissingPackagesError: it is not there.
    """
    search = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    found = shutil.which("traefik", path=search)
    if found is None:
        raise MissingPackagesError(
            "Traefik is missing: install the packages of requirements-dev.txt and run this with "
            "that Python, as `make` does."
        )
    return Path(found)


def traefik(layout: Layout, authority: Authority) -> Part:
    """The proxy, quick to follow a route that changed."""
    kubeconfig = access.write_component(
        layout, authority, "traefik", user="devcluster:traefik", group=access.ADMIN_GROUP
    )
    argv = [
        str(program()),
        f"--entrypoints.web.address=:{GATEWAY_PORT}",
        f"--entrypoints.ping.address=127.0.0.1:{_PING_PORT}",
        "--ping.entrypoint=ping",
        "--providers.kubernetesgateway=true",
        f"--providers.kubernetesgateway.statusaddress.ip={NODE_ADDRESS}",
        "--providers.providersthrottleduration=100ms",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=WARN",
    ]
    check = serves(f"http://127.0.0.1:{_PING_PORT}/ping")
    return Part(
        "traefik", argv, check, (NODE_ADDRESS, GATEWAY_PORT), {"KUBECONFIG": str(kubeconfig)}
    )


def apply_definitions(client: ApiClient, folder: Path) -> None:
    """Have the kinds of the Gateway API defined, from the files of its own module."""
    for file in sorted(folder.glob(f"{_GROUP}_*.yaml")):
        text = file.read_text()
        if "kind: CustomResourceDefinition" in text:
            plural = file.stem.removeprefix(f"{_GROUP}_")
            client.apply(f"{_DEFINITION_PATH}/{plural}.{_GROUP}", text)


def class_is_accepted(client: ApiClient) -> Check:
    """A check that Traefik serves the GatewayClass; makes it as soon as its kind is known."""

    def check() -> str | None:
        try:
            client.create(f"{_API}/gatewayclasses", _CLASS_OBJECT)
            conditions = client.get(_CLASS_PATH).get("status", {}).get("conditions", [])
        except OSError as failure:
            return f"GatewayClass {CLASS}: {failure}"
        if any(one["type"] == "Accepted" and one["status"] == "True" for one in conditions):
            return None
        return f"GatewayClass {CLASS} is not accepted yet"

    return check


_CLASS_OBJECT = {
    "apiVersion": f"{_GROUP}/v1",
    "kind": "GatewayClass",
    "metadata": {"name": CLASS},
    "spec": {"controllerName": "traefik.io/gateway-controller"},
}
