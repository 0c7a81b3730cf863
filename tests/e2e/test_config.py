"""Configuration is frozen with a revision: it changes with the code and goes back with it."""

from demo.kube import Object
from demo.releases import RevisionView
from tests.e2e.shop import Shop
from tests.e2e.texts import (
    greeting,
    greeting_of,
    serving_with_config,
    with_config,
    write_config,
)


def test_a_config_map_changed_in_place_does_not_reach_what_runs(shop: Shop) -> None:
    write_config(shop, "hello")
    v1 = serving_with_config(shop, "v1")
    assert greeting(shop, v1) == "hello"
    write_config(shop, "good bye")
    # A Pod that is made anew is as good as a restart: it must get the old configuration too.
    lost = shop.release.pods(v1.name)[0]["metadata"]["name"]
    shop.kube.delete("Pod", lost, shop.namespace)
    shop.then(
        "two ready Pods without the lost one",
        lambda: (lost not in (names := _ready(shop, v1)) and len(names) == 2) or None,
    )
    assert {greeting_of(pod) for pod in shop.release.pods(v1.name)} == {"hello"}


def test_what_is_listed_as_live_is_not_frozen(shop: Shop) -> None:
    write_config(shop, "hello")
    live = {"live": [{"kind": "ConfigMap", "name": "texts"}]}
    v1 = serving_with_config(shop, "v1", config=live)
    assert v1.raw["spec"].get("config", []) == []
    (volume,) = _volumes(v1.raw["spec"]["template"], "texts")
    assert volume["configMap"]["name"] == "texts"


def test_a_config_map_that_is_missing_is_said_and_waited_for(shop: Shop) -> None:
    shop.kube.apply(with_config(shop.manifest("v1")))
    shop.then(
        "the message to name the ConfigMap",
        lambda: "texts" in shop.release.condition("Ready").get("message", "") or None,
    )
    write_config(shop, "hello")
    shop.then_serves(shop.await_version("v1"))


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
