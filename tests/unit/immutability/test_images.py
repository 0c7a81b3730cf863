"""No place of a template that names an image is missed, and none is changed but to its digest."""

from typing import Any

import pytest

from immutablerelease.immutability.images import named_images, with_digests

DIGEST = "registry.test/x@sha256:" + "ab" * 32

TEMPLATE: dict[str, Any] = {
    "spec": {
        "initContainers": [{"name": "setup", "image": "setup:1"}],
        "containers": [{"name": "app", "image": "app:1", "env": []}, {"name": "b", "image": "b:1"}],
        "volumes": [
            {"name": "scratch", "emptyDir": {}},
            {"name": "model", "image": {"reference": "model:1", "pullPolicy": "Always"}},
        ],
    }
}


def test_containers_init_containers_and_image_volumes_are_all_found() -> None:
    found = [
        (image.user, image.init, image.volume, image.source) for image in named_images(TEMPLATE)
    ]
    assert found == [
        ("setup", True, False, "setup:1"),
        ("app", False, False, "app:1"),
        ("b", False, False, "b:1"),
        ("model", False, True, "model:1"),
    ]


def test_every_image_becomes_its_digest_and_nothing_else_changes() -> None:
    images = [image.resolved(f"{DIGEST[:-1]}{n}") for n, image in enumerate(named_images(TEMPLATE))]
    made = with_digests(TEMPLATE, images)["spec"]
    assert made["initContainers"][0]["image"] == images[0].image
    assert made["containers"][0] == {"name": "app", "image": images[1].image, "env": []}
    assert made["volumes"][0] == TEMPLATE["spec"]["volumes"][0]
    assert made["volumes"][1]["image"] == {"reference": images[3].image, "pullPolicy": "Always"}
    assert TEMPLATE["spec"]["volumes"][1]["image"]["reference"] == "model:1"


@pytest.mark.parametrize("image", [{}, {"reference": ""}, {"reference": None}], ids=str)
def test_an_image_volume_without_a_reference_is_seen(image: dict[str, Any]) -> None:
    template = {"spec": {"volumes": [{"name": "model", "image": image}]}}
    assert [named.source for named in named_images(template)] == [""]


def test_two_of_one_name_keep_each_its_own_image() -> None:
    template = {"spec": {"volumes": [{"name": "v", "image": {"reference": r}} for r in "ab"]}}
    images = [image.resolved(f"{DIGEST[:-1]}{n}") for n, image in enumerate(named_images(template))]
    volumes = with_digests(template, images)["spec"]["volumes"]
    assert [volume["image"]["reference"] for volume in volumes] == [i.image for i in images]
