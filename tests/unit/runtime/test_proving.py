"""What a release runs, from its template to the verdict: resolved and verified, volumes as well."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.policy import Policy
from immutablerelease.core.plan import Verify
from immutablerelease.core.snapshot import Resolution, Snapshot, Unresolved, VerdictView
from immutablerelease.runtime.observe import Observer
from immutablerelease.runtime.proving import Prover
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import manifest
from tests.unit.verification import signing
from tests.unit.verification.scene import Scene, set_up

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Policies:
    """Stands for the observer: the policies of the cluster and nothing else."""

    held: tuple[Policy, ...]

    def policies(self) -> tuple[Policy, ...]:
        return self.held

    def namespace_labels(self, namespace: str) -> dict[str, str]:
        return {}


def _release(*volumes: dict[str, Any], image: str) -> Snapshot:
    template = {"spec": {"containers": [{"name": "app", "image": image}], "volumes": list(volumes)}}
    return Snapshot(Release.read(manifest(template=template)), "hash")


def _prover(scene: Scene) -> Prover:
    observer = cast(Observer, Policies((scene.trust(),)))
    return Prover(FakeCluster(), observer, scene.verifier, lambda: NOW)


async def _verdict(scene: Scene, snapshot: Snapshot) -> tuple[Resolution, VerdictView]:
    prover = _prover(scene)
    resolution = await prover.resolve(snapshot)
    assert isinstance(resolution, Resolution), resolution
    revision = Revision.read(
        {
            "metadata": {"name": "shop-1", "namespace": "demo"},
            "spec": {
                "release": "shop",
                "number": 1,
                "generation": 1,
                "templateHash": "hash",
                "template": resolution.template,
                "images": [image.wire() for image in resolution.images],
            },
        }
    )
    known = replace(snapshot, revisions={"shop-1": revision})
    return resolution, await prover.verify(known, Verify("shop-1", "policies"))


@pytest.fixture
async def scene() -> Any:
    async with set_up() as made:
        made.bundle()
        yield made


def _volume(scene: Scene, repository: str = "team/model") -> tuple[dict[str, Any], str]:
    digest = signing.push_image(scene.registry, repo=repository)
    reference = f"{scene.registry.host}/{repository}:1.0"
    return {"name": "model", "image": {"reference": reference}}, digest


async def test_an_image_volume_is_pinned_and_recorded(scene: Scene) -> None:
    volume, digest = _volume(scene)
    signing.attach_bundle(
        scene.registry, digest, signing.bundle_for(digest, signing.key()), repo="team/model"
    )
    resolution, verdict = await _verdict(scene, _release(volume, image=scene.image))
    pinned = f"{scene.registry.host}/team/model@{digest}"
    assert resolution.template["spec"]["volumes"][0]["image"]["reference"] == pinned
    assert (resolution.images[1].volume, resolution.images[1].image) == (True, pinned)
    assert verdict.verdict == "Verified", verdict.message
    assert [(item.container, item.volume) for item in verdict.evidence] == [
        ("app", False),
        ("model", True),
    ]


async def test_an_unsigned_image_volume_refuses_the_revision(scene: Scene) -> None:
    volume, digest = _volume(scene)
    _, verdict = await _verdict(scene, _release(volume, image=scene.image))
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")
    assert f"image volume model, {scene.registry.host}/team/model@{digest}" in verdict.message


@pytest.mark.parametrize("image", [{}, {"reference": ""}], ids=str)
async def test_an_image_volume_that_names_nothing_is_not_passed_over(
    scene: Scene, image: dict[str, Any]
) -> None:
    snapshot = _release({"name": "model", "image": image}, image=scene.image)
    resolution = await _prover(scene).resolve(snapshot)
    assert isinstance(resolution, Unresolved)
    assert resolution.reason == "InvalidReference"
