"""What a release runs, from its template to the verdict: resolved and verified, volumes as well."""

import base64
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.policy import Policy
from immutablerelease.core.decide import decide
from immutablerelease.core.plan import Verify, WriteRevisionStatus
from immutablerelease.core.snapshot import Resolution, Snapshot, Unresolved, VerdictView
from immutablerelease.runtime.client import SECRETS, SERVICE_ACCOUNTS
from immutablerelease.runtime.observe import Observer, Policies
from immutablerelease.runtime.proving import Prover
from immutablerelease.runtime.trust import TrustReader
from immutablerelease.verification.transport import Limits
from tests.unit.runtime.proving_scene import jitter
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import manifest
from tests.unit.verification import attesting, signing
from tests.unit.verification.scene import Scene, set_up

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Fixed:
    """Stands for the observer: the policies of the cluster and nothing else."""

    held: tuple[Policy, ...]

    def policies(self) -> Policies:
        return Policies(self.held)

    def namespace_labels(self, namespace: str) -> dict[str, str]:
        return {}


def _release(*volumes: dict[str, Any], image: str) -> Snapshot:
    template = {"spec": {"containers": [{"name": "app", "image": image}], "volumes": list(volumes)}}
    return Snapshot(Release.read(manifest(template=template)), "hash")


def _prover(scene: Scene, *policies: Policy) -> Prover:
    observer = cast(Observer, Fixed(policies or (scene.trust(),)))
    api = FakeCluster()
    return Prover(
        api, observer, scene.verifier, TrustReader(api, "operator"), lambda: NOW, jitter()
    )


def _revision(resolution: Resolution) -> Revision:
    return Revision.read(
        {
            "metadata": {"name": "shop-1", "namespace": "demo"},
            "spec": {
                "release": "shop",
                "number": 1,
                "generation": 0,
                "templateHash": "hash",
                "template": resolution.template,
                "images": [image.wire() for image in resolution.images],
            },
        }
    )


async def _verdict(
    scene: Scene, snapshot: Snapshot, *policies: Policy
) -> tuple[Resolution, VerdictView]:
    prover = _prover(scene, *policies)
    resolution = await prover.resolve(snapshot)
    assert isinstance(resolution, Resolution), resolution
    revision = _revision(resolution)
    known = replace(snapshot, revisions={"shop-1": revision})
    return resolution, await prover.verify(known, Verify("shop-1", "policies"))


@pytest.fixture
async def scene() -> Any:
    async with set_up(Limits(image_seconds=40.0)) as made:
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


async def test_the_proven_source_is_recorded(scene: Scene) -> None:
    attesting.attest(scene, attesting.SLSA, attesting.slsa())
    wanted = scene.trust(attestations=[attesting.BUILT_HERE])
    snapshot = _release(image=scene.image)
    resolution, verdict = await _verdict(scene, snapshot, wanted)
    assert verdict.source is not None, verdict.message
    decided = replace(
        snapshot,
        revisions={"shop-1": _revision(resolution)},
        verdicts={"shop-1": verdict},
        policies="policies",
        resolution=resolution,
    )
    plan = decide(decided, NOW)
    (status,) = (item.status for item in plan.intents if isinstance(item, WriteRevisionStatus))
    assert status.verification is not None
    assert status.verification.wire()["source"] == {
        "repository": attesting.REPOSITORY,
        "commit": attesting.COMMIT,
        "builder": attesting.BUILDER,
    }


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


# Credentials


def _secret(name: str, password: str, *, kind: str = "kubernetes.io/dockerconfigjson") -> Any:
    config = {"auths": {"registry.test": {"username": "u", "password": password}}}
    data = base64.b64encode(json.dumps(config).encode()).decode()
    return {
        "metadata": {"name": name, "namespace": "demo"},
        "type": kind,
        "data": {".dockerconfigjson": data},
    }


async def _passwords(cluster: FakeCluster, scene: Scene, *, account: str = "") -> list[str]:
    """The passwords that registries are shown, in order of preference."""
    spec: dict[str, Any] = {"containers": [{"name": "app", "image": scene.image}]}
    spec["imagePullSecrets"] = [{"name": "own"}, {"name": "absent"}, {"name": "other-kind"}]
    if account:
        spec["serviceAccountName"] = account
    release = Release.read(manifest(template={"spec": spec}))
    observer = cast(Observer, Fixed((scene.trust(),)))
    trust = TrustReader(cluster, "operator")
    prover = Prover(cluster, observer, scene.verifier, trust, lambda: NOW, jitter())
    access = await prover._access(release)
    return [config["auths"]["registry.test"]["password"] for config in access.credentials]


@pytest.mark.parametrize("account", ["", "builder"])
async def test_pull_secrets_are_those_of_the_template_then_of_its_account(
    scene: Scene, account: str
) -> None:
    cluster = FakeCluster()
    for secret in (
        _secret("own", "of the template"),
        _secret("shared", "of the account"),
        _secret("other-kind", "of nobody", kind="Opaque"),
    ):
        cluster.put(SECRETS, secret)
    named = {"name": account or "default", "namespace": "demo"}
    pulls = [{"name": "own"}, {"name": "shared"}]
    cluster.put(SERVICE_ACCOUNTS, {"metadata": named, "imagePullSecrets": pulls})
    found = await _passwords(cluster, scene, account=account)
    assert found == ["of the template", "of the account"]


async def test_without_an_account_those_of_the_template_are_used(scene: Scene) -> None:
    cluster = FakeCluster()
    cluster.put(SECRETS, _secret("own", "of the template"))
    assert await _passwords(cluster, scene) == ["of the template"]
