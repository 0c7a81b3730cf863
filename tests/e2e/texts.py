"""A ConfigMap that the app shows to its visitors, to tell one configuration from another."""

import json
import urllib.request
from typing import Any

from demo.kube import Object
from demo.releases import RevisionView
from tests.e2e.shop import Shop

TIMEOUT = 5.0


def write_config(shop: Shop, greeting: str) -> None:
    """Make or change the ConfigMap."""
    shop.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "texts", "namespace": shop.namespace},
            "data": {"greeting": greeting},
        }
    )


def with_config(manifest: Object) -> Object:
    """A manifest whose Pods show it."""
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "texts", "configMap": {"name": "texts"}})
    container = spec["containers"][0]
    container["volumeMounts"].append({"name": "texts", "mountPath": "/texts"})
    container["env"].append({"name": "GREETING_FILE", "value": "/texts/greeting"})
    return manifest


def serving_with_config(shop: Shop, version: str, **settings: Any) -> RevisionView:
    """A version that serves and shows it."""
    shop.settings.update(settings)
    shop.kube.apply(with_config(shop.manifest(version)))
    revision = shop.await_version(version)
    shop.then_serves(revision)
    return revision


def greeting(shop: Shop, revision: RevisionView) -> str:
    """What a Pod of a revision shows."""
    return greeting_of(shop.release.pods(revision.name)[0])


def greeting_of(pod: Object) -> str:
    """Asked of the Pod itself; a Service could send us to another."""
    url = f"http://{pod['status']['podIP']}:8080/"
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        return str(json.load(answer)["greeting"])
