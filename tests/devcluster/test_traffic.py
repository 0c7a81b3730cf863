"""What users come in by, and what counts what they were answered."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from demo.images import APP
from devcluster import Cluster, images, namespace
from devcluster.layout import Layout
from devcluster.scrape_targets import groups
from tests.devcluster import machine
from tests.devcluster.conftest import NAME
from tests.waiting import eventually

TIMEOUT = 5.0
HOST = "shop.example.com"
PREFIX = "immutablerelease.io"
SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
ROUTES = "gateway.networking.k8s.io/v1"


@pytest.fixture(scope="module")
def shop(full: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """Two versions, each behind a Service of its own, and a Gateway that divides 80 to 20."""
    ref = f"{full.registry}/shop:1"
    program = images.go_build(APP, "demo-app")
    image = images.build_app_image(ref, {"/app": program}, ["/app"], cluster=NAME)
    objects = [
        *(pod(version, image) for version in ("v1", "v2")),
        *(service(version) for version in ("v1", "v2")),
        gateway(),
        route({"v1": 80, "v2": 20}),
    ]
    manifest = tmp_path_factory.mktemp("manifests") / "shop.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    machine.kubectl(full, "apply", "--filename", str(manifest))
    machine.kubectl(full, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s")
    return full


def pod(version: str, image: str) -> dict[str, Any]:
    labels = {f"{PREFIX}/release": "shop", f"{PREFIX}/revision": f"shop-{version}"}
    container = {
        "name": "web",
        "image": image,
        "env": [{"name": "VERSION", "value": version}],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
    }
    metadata = {"name": f"shop-{version}", "labels": labels, "annotations": SCRAPED}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }


def service(version: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"shop-{version}"},
        "spec": {
            "selector": {f"{PREFIX}/revision": f"shop-{version}"},
            "ports": [{"port": 80, "targetPort": 8080}],
        },
    }


def gateway() -> dict[str, Any]:
    listener = {"name": "web", "port": 8000, "protocol": "HTTP", "hostname": HOST}
    return {
        "apiVersion": ROUTES,
        "kind": "Gateway",
        "metadata": {"name": "public"},
        "spec": {"gatewayClassName": "traefik", "listeners": [listener]},
    }


def route(weights: Mapping[str, int]) -> dict[str, Any]:
    backends = [
        {"name": f"shop-{version}", "port": 80, "weight": weight}
        for version, weight in weights.items()
    ]
    return {
        "apiVersion": ROUTES,
        "kind": "HTTPRoute",
        "metadata": {"name": "shop"},
        "spec": {
            "parentRefs": [{"name": "public"}],
            "hostnames": [HOST],
            "rules": [{"backendRefs": backends}],
        },
    }


def get(url: str, host: str | None = None) -> Any:
    """The JSON at a URL inside; None where the answer is no success."""
    headers = {"Host": host} if host else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - always http

    def ask() -> Any:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError:
            return None

    return namespace.inside(Layout.of(NAME).namespace, ask)


def test_a_route_divides_the_users_of_a_host_as_it_says(shop: Cluster) -> None:
    url = f"http://{shop.gateway}/"
    # Endpoints of one Service may come to the gateway before those of the other.
    eventually(lambda: all(get(url, HOST) for _ in range(10)), "both backends are served")
    served = Counter(get(url, HOST)["version"] for _ in range(100))
    assert served.keys() == {"v1", "v2"}
    assert 75 <= served["v1"] <= 85
    assert get(url, "other.example.com") is None


def test_the_gateway_says_where_it_is(shop: Cluster) -> None:
    shown = machine.kubectl(shop, "get", "gateway", "public", "--output=json")
    assert json.loads(shown)["status"]["addresses"] == [
        {"type": "IPAddress", "value": "198.19.0.1"}
    ]


def test_samples_say_whose_they_are(shop: Cluster) -> None:
    query = urllib.parse.quote('http_requests_total{code="200",pod="shop-v1"}')
    url = f"{shop.prometheus}/api/v1/query?query={query}"

    def found() -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = get(url)["data"]["result"]
        return answer

    eventually(lambda: bool(found()), "a sample of the Pod is there")
    labels = found()[0]["metric"]
    assert labels["namespace"] == "default"
    assert labels["release"] == "shop"
    assert labels["revision"] == "shop-v1"


def test_status_says_where_both_are(shop: Cluster) -> None:
    done = machine.devcluster("status", "--name", NAME)
    assert shop.gateway in done.stdout
    assert shop.prometheus in done.stdout


def scraped(**changes: Any) -> dict[str, Any]:
    """A running Pod that asks to be scraped."""
    return {
        "metadata": {"name": "a", "namespace": "n", "annotations": SCRAPED},
        "spec": {"containers": [{"ports": [{"containerPort": 9000}]}]},
        "status": {"phase": "Running", "podIP": "198.18.0.9"},
        **changes,
    }


def test_a_pod_is_scraped_where_it_says() -> None:
    asked = {**SCRAPED, "prometheus.io/path": "/numbers"}
    labels = {f"{PREFIX}/release": "shop", f"{PREFIX}/revision": "shop-1"}
    metadata = {"name": "a", "namespace": "n", "annotations": asked, "labels": labels}
    expected = {"__metrics_path__": "/numbers", "namespace": "n", "pod": "a"}
    expected |= {"release": "shop", "revision": "shop-1"}
    found = groups([scraped(metadata=metadata)])
    assert found == [{"targets": ["198.18.0.9:8080"], "labels": expected}]


def test_without_a_port_it_is_the_first_of_the_containers() -> None:
    asked = {"prometheus.io/scrape": "true"}
    metadata = {"name": "a", "namespace": "n", "annotations": asked}
    assert groups([scraped(metadata=metadata)])[0]["targets"] == ["198.18.0.9:9000"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"metadata": {"name": "a", "namespace": "n"}}, id="does not ask for it"),
        pytest.param({"status": {"phase": "Running"}}, id="has no address yet"),
        pytest.param({"status": {"phase": "Failed", "podIP": "198.18.0.9"}}, id="has ended"),
    ],
)
def test_a_pod_is_left_alone_that(changes: dict[str, Any]) -> None:
    assert groups([scraped(**changes)]) == []
