"""Configuration is frozen with a revision: it changes with the code and goes back with it."""

import json
import urllib.request
from typing import Any

from demo.kube import Object
from demo.releases import RevisionView
from tests.e2e.shop import Shop

TIMEOUT = 5.0


def test_a_config_map_changed_in_place_does_not_reach_what_runs(shop: Shop) -> None:
    _write_config(shop, "hello")
    v1 = _serving_with_config(shop, "v1")
    assert _greeting(shop, v1) == "hello"
    _write_config(shop, "good bye")
    # A Pod that is made anew is as good as a restart: it must get the old configuration too.
    lost = shop.release.pods(v1.name)[0]["metadata"]["name"]
    shop.kube.delete("Pod", lost, shop.namespace)
    shop.then(
        "two ready Pods without the lost one",
        lambda: (lost not in (names := _ready(shop, v1)) and len(names) == 2) or None,
    )
    assert {_greeting_of(pod) for pod in shop.release.pods(v1.name)} == {"hello"}


def test_rollback_brings_the_old_configuration_back_with_the_old_code(shop: Shop) -> None:
    _write_config(shop, "hello")
    v1 = _serving_with_config(shop, "v1")
    _write_config(shop, "good bye")
    v2 = _serving_with_config(shop, "v2")
    assert _greeting(shop, v2) == "good bye"
    assert shop.when_asked("Rollback")["phase"] == "Succeeded"
    shop.then_serves(v1)
    assert _greeting(shop, v1) == "hello"


def test_what_is_listed_as_live_is_not_frozen(shop: Shop) -> None:
    _write_config(shop, "hello")
    live = {"live": [{"kind": "ConfigMap", "name": "texts"}]}
    v1 = _serving_with_config(shop, "v1", config=live)
    assert v1.raw["spec"].get("config", []) == []
    (volume,) = _volumes(v1.raw["spec"]["template"], "texts")
    assert volume["configMap"]["name"] == "texts"


def test_a_config_map_that_is_missing_is_said_and_waited_for(shop: Shop) -> None:
    shop.kube.apply(_with_config(shop.manifest("v1")))
    shop.then(
        "the message to name the ConfigMap",
        lambda: "texts" in shop.release.condition("Ready").get("message", "") or None,
    )
    _write_config(shop, "hello")
    shop.then_serves(shop.await_version("v1"))


def _write_config(shop: Shop, greeting: str) -> None:
    shop.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "texts", "namespace": shop.namespace},
            "data": {"greeting": greeting},
        }
    )


def _with_config(manifest: Object) -> Object:
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "texts", "configMap": {"name": "texts"}})
    container = spec["containers"][0]
    container["volumeMounts"].append({"name": "texts", "mountPath": "/texts"})
    container["env"].append({"name": "GREETING_FILE", "value": "/texts/greeting"})
    return manifest


def _serving_with_config(shop: Shop, version: str, **settings: Any) -> RevisionView:
    shop.settings.update(settings)
    shop.kube.apply(_with_config(shop.manifest(version)))
    revision = shop.await_version(version)
    shop.then_serves(revision)
    return revision


def _volumes(template: Object, name: str) -> list[Object]:
    return [volume for volume in template["spec"]["volumes"] if volume["name"] == name]


def _ready(shop: Shop, revision: RevisionView) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in shop.release.pods(revision.name)
        if any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in pod["status"].get("conditions", [])
        )
    ]


def _greeting(shop: Shop, revision: RevisionView) -> str:
    return _greeting_of(shop.release.pods(revision.name)[0])


def _greeting_of(pod: Object) -> str:
    """Asked of the Pod itself; a Service could send us to another."""
    url = f"http://{pod['status']['podIP']}:8080/"
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        return str(json.load(answer)["greeting"])
