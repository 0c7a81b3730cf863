"""The Kubernetes API as the demo and the tests use it: plain dicts, short calls, clear errors."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import urllib3
from kubernetes import client, config

from .errors import DemoError, Unmet

Object = dict[str, Any]
Found = TypeVar("Found")

TIMEOUT = 10.0
FIELD_MANAGER = "kubectl"


@dataclass(frozen=True)
class Kind:
    """Where objects of a kind live."""

    api: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Path of one object, or of all of them."""
        parts = [self.api]
        if self.namespaced and namespace:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        if name:
            parts.append(name)
        return "/" + "/".join(parts)


_OURS = "apis/immutablerelease.io/v1alpha1"
KINDS: Mapping[str, Kind] = {
    "Namespace": Kind("api/v1", "namespaces", namespaced=False),
    "Pod": Kind("api/v1", "pods"),
    "Service": Kind("api/v1", "services"),
    "ConfigMap": Kind("api/v1", "configmaps"),
    "Secret": Kind("api/v1", "secrets"),
    "Event": Kind("api/v1", "events"),
    "Deployment": Kind("apis/apps/v1", "deployments"),
    "DaemonSet": Kind("apis/apps/v1", "daemonsets"),
    "Job": Kind("apis/batch/v1", "jobs"),
    "ReplicaSet": Kind("apis/apps/v1", "replicasets"),
    "Gateway": Kind("apis/gateway.networking.k8s.io/v1", "gateways"),
    "HTTPRoute": Kind("apis/gateway.networking.k8s.io/v1", "httproutes"),
    "PodDisruptionBudget": Kind("apis/policy/v1", "poddisruptionbudgets"),
    "ImmutableRelease": Kind(_OURS, "immutablereleases"),
    "ReleaseRevision": Kind(_OURS, "releaserevisions"),
    "ReleaseAction": Kind(_OURS, "releaseactions"),
    "ReleasePolicy": Kind(_OURS, "releasepolicies", namespaced=False),
}


class KubeError(DemoError):
    """The API server said no; `message` is what a person would have seen."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Kube:
    """A connection to the API server as one identity."""

    def __init__(self, kubeconfig: str | None = None) -> None:
        self._client: client.ApiClient = config.new_client_from_config(kubeconfig)  # type: ignore[no-untyped-call]
        self._pool: urllib3.PoolManager = self._client.rest_client.pool_manager

    @property
    def server(self) -> str:
        """Address of the API server."""
        return str(self._client.configuration.host)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Object:
        """One request; raises KubeError for any answer but success."""
        response = self._send(method, path, body, query or {}, content, TIMEOUT)
        answer = json.loads(response.data or b"{}")
        if response.status >= 400:
            raise KubeError(
                response.status, answer.get("reason", ""), answer.get("message", str(answer))
            )
        return dict(answer)

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None when there is none."""
        try:
            return self.request("GET", KINDS[kind].path(namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """The object; KubeError when there is none."""
        return self.request("GET", KINDS[kind].path(namespace, name))

    def list(self, kind: str, namespace: str | None = None, labels: str = "") -> list[Object]:
        """All objects of a kind with these labels."""
        query = {"labelSelector": labels} if labels else {}
        return list(self.request("GET", KINDS[kind].path(namespace), query=query)["items"])

    def apply(self, manifest: Object) -> Object:
        """Server-side apply, as `kubectl apply --server-side` does it."""
        metadata = manifest["metadata"]
        return self.request(
            "PATCH",
            KINDS[manifest["kind"]].path(metadata.get("namespace"), metadata["name"]),
            manifest,
            {"fieldManager": FIELD_MANAGER, "force": "true"},
            "application/apply-patch+yaml",
        )

    def create(self, manifest: Object) -> Object:
        """Create; the name may be left to the server by `generateName`."""
        kind = KINDS[manifest["kind"]]
        return self.request("POST", kind.path(manifest["metadata"].get("namespace")), manifest)

    def patch(
        self, kind: str, name: str, body: Object, namespace: str | None = None, part: str = ""
    ) -> Object:
        """JSON merge patch, of a subresource such as `/scale` if one is named."""
        path = KINDS[kind].path(namespace, name) + part
        return self.request("PATCH", path, body, content="application/merge-patch+json")

    def delete(self, kind: str, name: str, namespace: str | None = None) -> None:
        """Ask for deletion; an object that is gone already is fine."""
        try:
            self.request("DELETE", KINDS[kind].path(namespace, name))
        except KubeError as error:
            if error.status != 404:
                raise

    def watch(self, kind: str, namespace: str, seconds: float) -> Iterator[Object]:
        """Objects of a kind as they are and then as they change, for so many seconds."""
        query = {"watch": "true", "timeoutSeconds": str(int(seconds))}
        path = KINDS[kind].path(namespace)
        response = self._send("GET", path, None, query, "application/json", seconds + TIMEOUT)
        buffered = b""
        try:
            for chunk in response.stream(65536):
                *lines, buffered = (buffered + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)["object"]
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, str],
        content: str,
        timeout: float,
    ) -> urllib3.BaseHTTPResponse:
        _, url, headers, _, _ = self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json", "Content-Type": content},
            auth_settings=["BearerToken"],
        )
        try:
            return self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(connect=TIMEOUT, read=timeout),
                preload_content="watch" not in query,
            )
        except urllib3.exceptions.HTTPError as error:
            raise KubeError(0, "Unreachable", f"{self.server} does not answer: {error}") from error


def wait_for(
    expected: str, look: Callable[[], tuple[Found | None, str]], seconds: float, every: float = 0.1
) -> Found:
    """Look until there is something; `look` says what it saw in case that never happens."""
    deadline = time.monotonic() + seconds
    while True:
        found, seen = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise Unmet(f"{expected} within {seconds:.0f} s", seen)
        time.sleep(every)
