"""The API that autoscalers read the use of Pods from, served by the test itself."""

import json
import ssl
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from demo.kube import Kube, Object, wait_for
from devcluster.layout import NODE_ADDRESS

GROUP = "metrics.k8s.io"
VERSION = "v1beta1"
NAMESPACE = "kube-system"
NAME = "e2e-metrics"
REGISTRATION = f"/apis/apiregistration.k8s.io/v1/apiservices/{VERSION}.{GROUP}"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
PATIENCE = 30.0

# Millicores that a Pod uses.
Usage = Callable[[Object], int]


class MetricsApi:
    """Answers for all Pods that a selector picks; remembers what it was asked of one namespace."""

    def __init__(self, kube: Kube, scratch: Path, namespace: str, usage: Usage) -> None:
        self._kube = kube
        self._namespace = namespace
        self._usage = usage
        # Selectors, in the order in which they were asked for.
        self.asked: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(api.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer((NODE_ADDRESS, 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_certificate(scratch))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def answer(self, path: str) -> Object:
        """What is there, or how much the Pods use."""
        parts = urlsplit(path)
        version = f"{GROUP}/{VERSION}"
        if "/pods" not in parts.path:
            pods = {"name": "pods", "namespaced": True, "kind": "PodMetrics", "verbs": ["list"]}
            return {"kind": "APIResourceList", "groupVersion": version, "resources": [pods]}
        selector = parse_qs(parts.query).get("labelSelector", [""])[0]
        namespace = parts.path.split("/namespaces/")[1].split("/")[0]
        # The autoscaler of an earlier test may ask until its namespace is gone.
        if namespace == self._namespace:
            self.asked.append(selector)
        found = self._kube.list("Pod", namespace, selector)
        items = [self._used(pod) for pod in found]
        return {"kind": "PodMetricsList", "apiVersion": version, "metadata": {}, "items": items}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._kube.request("POST", SERVICES, self._service())
        self._kube.request("POST", REGISTRATION.rpartition("/")[0], self._registration())

        def look() -> tuple[bool | None, str]:
            status = self._kube.request("GET", REGISTRATION).get("status", {})
            conditions = status.get("conditions", [])
            up = any(one["type"] == "Available" and one["status"] == "True" for one in conditions)
            return up or None, str(conditions)

        try:
            wait_for("the API of metrics to be there", look, PATIENCE)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._kube.request("DELETE", REGISTRATION)
        self._kube.request("DELETE", f"{SERVICES}/{NAME}")
        self._server.shutdown()
        self._server.server_close()

    def _used(self, pod: Object) -> Object:
        metadata = pod["metadata"]
        usage = {"cpu": f"{self._usage(pod)}m", "memory": "16Mi"}
        return {
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "window": "1s",
            "containers": [{"name": "web", "usage": usage}],
        }

    def _service(self) -> Object:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": NODE_ADDRESS},
        }

    def _registration(self) -> Object:
        port = self._server.server_address[1]
        return {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{VERSION}.{GROUP}"},
            "spec": {
                "group": GROUP,
                "version": VERSION,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"name": NAME, "namespace": NAMESPACE, "port": port},
            },
        }


def _certificate(scratch: Path) -> tuple[Path, Path]:
    scratch.mkdir(parents=True, exist_ok=True)
    certificate, key = scratch / "tls.crt", scratch / "tls.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=metrics"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        capture_output=True,
        timeout=30,
        check=True,
    )
    return certificate, key
