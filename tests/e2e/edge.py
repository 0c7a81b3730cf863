"""A Gateway in front of the release under test, and users who come in by it."""

import json
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.kube import Kube, Object
from demo.traffic import Traffic
from devcluster import Cluster
from tests.e2e.shop import KEPT_SECONDS, Shop, Users

API = "gateway.networking.k8s.io/v1"
TIMEOUT = 5.0


class Edge:
    """The Gateway of one test, for a host of its own."""

    def __init__(self, cluster: Cluster, kube: Kube, shop: Shop, scratch: Path) -> None:
        self._kube = kube
        self._shop = shop
        self._scratch = scratch
        self.address, port = cluster.gateway.rsplit(":", 1)
        self.port = int(port)
        self.host = f"{shop.namespace}.example.com"
        kube.apply(self._gateway())

    def asked(self, **changes: Any) -> dict[str, Any]:
        """`spec.traffic` that names it."""
        parent = {"name": "public", "sectionName": "web"}
        return {
            "traffic": {"gateway": {"parentRefs": [parent], "hostnames": [self.host], **changes}}
        }

    def given_users(self, *, keep_alive: float = 0.0, rate: float = 100.0) -> Users:
        """Users who come by the Gateway from now to the end of the test."""
        traffic = self.crowd(keep_alive=keep_alive, rate=rate)
        traffic.await_answers(30.0)
        return Users(traffic)

    def crowd(self, *, keep_alive: float, rate: float) -> Traffic:
        """Users of one kind."""
        traffic = Traffic(
            self.address,
            self._scratch / f"users-{keep_alive}",
            port=self.port,
            rate=rate,
            keep_alive=keep_alive,
            name=self.host,
        )
        self._shop.at_the_end(traffic.stop)
        return traffic

    def version(self, headers: Mapping[str, str] | None = None) -> str:
        """The version that answers a request with these headers."""
        url = f"http://{self.address}:{self.port}/"
        sent = {"Host": self.host, **(headers or {})}
        request = urllib.request.Request(url, headers=sent)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            return str(json.load(answer)["version"])

    def versions(self, requests: int, headers: Mapping[str, str] | None = None) -> Counter[str]:
        """How many of so many requests each version answers."""
        return Counter(self.version(headers) for _ in range(requests))

    def route(self) -> Object:
        """The HTTPRoute of the release."""
        return self._kube.get("HTTPRoute", "shop", self._shop.namespace)

    def weights(self) -> dict[str, int]:
        """Weights by revision."""
        return weights(self.route())

    def answers(self) -> bool:
        """Whether requests get through to the release."""
        try:
            return bool(self.version())
        except OSError:
            return False

    def _gateway(self) -> Object:
        listener = {"name": "web", "port": self.port, "protocol": "HTTP", "hostname": self.host}
        return {
            "apiVersion": API,
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": self._shop.namespace},
            "spec": {"gatewayClassName": "traefik", "listeners": [listener]},
        }


def weights(route: Object) -> dict[str, int]:
    """Weights of an HTTPRoute by revision."""
    backends = route["spec"]["rules"][-1]["backendRefs"]
    return {str(backend["name"]): int(backend["weight"]) for backend in backends}


class ShopBehindGateway(Shop):
    """A release whose users come in by a Gateway."""

    def open(self, cluster: Cluster, scratch: Path) -> None:
        """Make the Gateway."""
        self.edge = Edge(cluster, self.kube, self, scratch)
        self.settings.update(self.edge.asked())

    def given_users(self) -> Users:
        """Users who come in by it, once it lets them through."""
        self.then("the gateway to let requests through", lambda: self.edge.answers() or None)
        fresh = self.edge.crowd(keep_alive=0.0, rate=self.rate)
        kept = self.edge.crowd(keep_alive=KEPT_SECONDS, rate=self.rate / 2)
        for traffic in (fresh, kept):
            traffic.await_answers()
        self.users = Users(fresh, kept)
        return self.users
