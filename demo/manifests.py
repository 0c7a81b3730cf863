"""Manifests of the demo and the tests, built so that a caller writes down only what differs."""

from collections.abc import Mapping, Sequence
from typing import Any

from .kube import Object

API = "immutablerelease.io/v1alpha1"
ENFORCE = "immutablerelease.io/enforce"
RELEASE_LABEL = "immutablerelease.io/release"
REVISION_LABEL = "immutablerelease.io/revision"


def namespace(
    name: str, enforce: str = "releases", labels: Mapping[str, str] | None = None
) -> Object:
    """A namespace that has opted in."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {ENFORCE: enforce, **(labels or {})}},
    }


def policy(
    name: str,
    keys: Mapping[str, str],
    registries: Sequence[str],
    namespaces: Sequence[str] = ("*",),
) -> Object:
    """A policy that trusts these keys for all images of these registries, reached by plain HTTP."""
    return {
        "apiVersion": API,
        "kind": "ReleasePolicy",
        "metadata": {"name": name},
        "spec": {
            "match": {
                "namespaces": list(namespaces),
                "images": [f"{registry}/**" for registry in registries],
            },
            "authorities": [{"name": who, "key": {"pem": pem}} for who, pem in keys.items()],
            "registries": {"insecure": list(registries)},
        },
    }


def container(image: str, env: Mapping[str, str] | None = None) -> Object:
    """The one container of the app."""
    return {
        "name": "web",
        "image": image,
        "env": [{"name": name, "value": value} for name, value in (env or {}).items()],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "http"},
            "periodSeconds": 1,
            "failureThreshold": 2,
        },
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65532,
        },
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
    }


def template(image: str, env: Mapping[str, str] | None = None) -> Object:
    """The Pod template of the app."""
    return {
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"fsGroup": 65532},
            "terminationGracePeriodSeconds": 10,
            "containers": [container(image, env)],
            "volumes": [{"name": "state", "emptyDir": {}}],
        }
    }


def job_template(image: str, env: Mapping[str, str]) -> Object:
    """The Pod template of a job that runs the app as a check."""
    checks = container(image, env)
    made = {key: checks[key] for key in ("image", "env", "resources", "securityContext")}
    return {
        "spec": {"automountServiceAccountToken": False, "containers": [{"name": "check", **made}]}
    }


def probe(interval: str = "1s", threshold: int = 3) -> Object:
    """The HTTP probe of the operator."""
    return {
        "name": "health",
        "http": {"path": "/healthz", "port": "http"},
        "interval": interval,
        "timeout": "1s",
        "failureThreshold": threshold,
    }


def release(name: str, namespace: str, pod_template: Object, **spec: Any) -> Object:
    """An ImmutableRelease by blue-green; keywords replace whole fields of its spec."""
    return {
        "apiVersion": API,
        "kind": "ImmutableRelease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 2,
            "template": pod_template,
            "service": {"ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
            "strategy": {"blueGreen": {"promotion": "Automatic"}},
            "health": {"progressDeadline": "60s", "bake": "5s", "probes": [probe()]},
            "keepWarm": "2m",
            **spec,
        },
    }


def action(release: str, namespace: str, what: str, revision: str | None, reason: str) -> Object:
    """A ReleaseAction; the server picks its name."""
    spec = {"release": release, "action": what, "reason": reason}
    return {
        "apiVersion": API,
        "kind": "ReleaseAction",
        "metadata": {"generateName": f"{what.lower()}-", "namespace": namespace},
        "spec": {**spec, "revision": revision} if revision else spec,
    }
