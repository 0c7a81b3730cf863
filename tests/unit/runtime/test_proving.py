"""From a template to what can run, and to a verdict: what is asked, copied, and told when it fails.

The registry is scripted; signatures have their own tests.
"""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from immutablerelease.api.meta import MANAGED_BY_LABEL, MANAGER
from immutablerelease.runtime.client import (
    CONFIG_MAPS,
    NAMESPACES,
    POLICIES,
    SECRETS,
    SERVICE_ACCOUNTS,
    Forbidden,
    Kind,
    Object,
    Unavailable,
)
from immutablerelease.verification.verdict import ImageUse
from tests.unit.runtime.proving_scene import ASKED, DIGEST, NOW, Scene, credentials


def names(kind: str, name: str = "settings", **fields: Any) -> dict[str, Any]:
    """A container that takes its variables from a ConfigMap or Secret."""
    key = "configMapRef" if kind == "ConfigMap" else "secretRef"
    return {"envFrom": [{key: {"name": name, **fields}}]}


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_every_container_runs_by_digest_and_every_image_is_asked_for_once(
    scene: Scene,
) -> None:
    init = {"name": "init", "image": "registry.test/app:v1"}
    scene.release(initContainers=[init], terminationGracePeriodSeconds=5)
    result = await scene.resolve()
    image = f"registry.test/app@{DIGEST}"
    assert result.template == {
        "spec": {
            "containers": [{"name": "app", "image": image}],
            "initContainers": [{"name": "init", "image": image}],
            "terminationGracePeriodSeconds": 5,
        }
    }
    assert {(item.container, item.init, item.source) for item in result.images} == {
        ("app", False, "registry.test/app:v1"),
        ("init", True, "registry.test/app:v1"),
    }
    assert scene.verifier.resolved == ["registry.test/app:v1"]
    assert result.template_hash == scene.snapshot().template_hash


async def test_an_image_that_is_not_there_is_told_with_what_to_do(scene: Scene) -> None:
    scene.verifier.missing.add("registry.test/app:v1")
    result = await scene.fail()
    assert result.reason == "NotFound"
    assert result.message.startswith("registry.test/app:v1 is not there; check the image's name")
    assert result.template_hash == scene.snapshot().template_hash


async def test_configuration_that_is_missing_is_named_with_what_to_do(scene: Scene) -> None:
    scene.release(names("ConfigMap"))
    result = await scene.fail()
    assert result.reason == "ConfigNotFound"
    assert result.message == (
        "the template names ConfigMap settings, which does not exist in demo; create it, or mark "
        "the reference optional"
    )


@pytest.mark.parametrize("kind", [CONFIG_MAPS, SECRETS], ids=lambda kind: kind.kind)
async def test_configuration_that_is_optional_and_missing_stays_missing(
    scene: Scene, kind: Kind
) -> None:
    scene.release(names(kind.kind, optional=True))
    result = await scene.resolve()
    (frozen,) = result.config
    (copy,) = scene.copies(kind)
    assert copy["metadata"]["name"] == frozen.name
    assert "data" not in copy
    (reference,) = result.template["spec"]["containers"][0]["envFrom"][0].values()
    assert reference == {"name": frozen.name, "optional": True}
    scene.config(kind=kind, data={"colour": "Ymx1ZQ=="})
    assert (await scene.resolve()).config != result.config, "made later it is another revision"


@pytest.mark.parametrize("kind", [CONFIG_MAPS, SECRETS], ids=lambda kind: kind.kind)
async def test_configuration_is_copied_and_the_template_names_the_copy(
    scene: Scene, kind: Kind
) -> None:
    scene.release(names(kind.kind))
    scene.config(kind=kind, data={"colour": "Ymx1ZQ=="})
    result = await scene.resolve()
    (copy,) = scene.copies(kind)
    (frozen,) = result.config
    assert (frozen.kind, frozen.source, frozen.name) == (
        kind.kind,
        "settings",
        copy["metadata"]["name"],
    )
    (reference,) = result.template["spec"]["containers"][0]["envFrom"][0].values()
    assert reference == {"name": copy["metadata"]["name"]}
    assert copy["data"] == {"colour": "Ymx1ZQ=="}


async def test_a_copy_that_is_there_is_used_again_and_other_content_gets_its_own(
    scene: Scene,
) -> None:
    scene.release(names("ConfigMap"))
    scene.config()
    first = await scene.resolve()
    writes = len(scene.cluster.writes)
    assert await scene.resolve() == first
    assert len(scene.cluster.writes) == writes
    scene.config(data={"colour": "green"})
    second = await scene.resolve()
    assert second.config != first.config
    assert len(scene.copies()) == 2, "going back must still be possible"


def _foreign(copy: Object) -> None:
    del copy["metadata"]["labels"][MANAGED_BY_LABEL]


def _former(copy: Object) -> None:
    copy["metadata"]["ownerReferences"][0]["uid"] = "uid-of-a-release-that-was-deleted"


def _unowned(copy: Object) -> None:
    copy["metadata"]["ownerReferences"] = []


def _changeable(copy: Object) -> None:
    copy["immutable"] = False


def _other_data(copy: Object) -> None:
    copy["data"] = {"colour": "red"}


def _other_files(copy: Object) -> None:
    copy["binaryData"] = {"logo": "AAAA"}


@pytest.mark.parametrize(
    "change",
    [_foreign, _former, _unowned, _changeable, _other_data, _other_files],
    ids=lambda change: change.__name__.strip("_").replace("_", " "),
)
async def test_what_only_has_the_name_of_a_copy_is_never_used(
    scene: Scene, change: Callable[[Object], None]
) -> None:
    scene.release(names("ConfigMap"))
    scene.config()
    await scene.resolve()
    (copy,) = scene.copies()
    assert copy["metadata"]["labels"][MANAGED_BY_LABEL] == MANAGER
    change(copy)
    result = await scene.fail()
    assert result.reason == "NameConflict"
    name = copy["metadata"]["name"]
    assert result.message == f"ConfigMap/{name} exists and is not this release's"


async def test_pull_secrets_of_the_template_come_before_those_of_its_account(
    scene: Scene,
) -> None:
    for name in ("one", "two", "three"):
        scene.pull_secret(name)
    scene.account("three", "one", name="builder")
    scene.account("unused")
    references = [{"name": "two"}, {"name": "one"}]
    scene.release(imagePullSecrets=references, serviceAccountName="builder")
    await scene.resolve()
    (access,) = scene.verifier.accesses
    assert access.credentials == tuple(credentials(name) for name in ("two", "one", "three"))


def _encoded(text: str) -> dict[str, Any]:
    return {"data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()}}


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "Opaque"},
        {"data": {}},
        {"data": {".dockerconfigjson": "A"}},
        _encoded("no JSON"),
        _encoded("[]"),
        None,
    ],
    ids=["another type", "empty", "no base64", "no JSON", "no object", "missing"],
)
async def test_a_pull_secret_that_cannot_be_used_is_passed_over(
    scene: Scene, fields: dict[str, Any] | None
) -> None:
    if fields is not None:
        scene.pull_secret("bad", **fields)
    scene.pull_secret("good")
    scene.account("good")
    scene.release(imagePullSecrets=[{"name": "bad"}, {}])
    await scene.resolve()
    assert scene.verifier.accesses[-1].credentials == (credentials("good"),)


async def test_nobody_is_asked_for_credentials_where_no_registry_is(scene: Scene) -> None:
    scene.api.refuses[SERVICE_ACCOUNTS] = Forbidden("cannot get serviceaccounts")
    scene.release({"image": f"registry.test/app@{DIGEST}"})
    await scene.resolve()
    scene.release({"image": "registry.test/app:v1"})
    assert (await scene.fail()).reason == "ApiError"


async def test_a_namespace_without_its_account_has_the_templates_pull_secrets(
    scene: Scene,
) -> None:
    scene.pull_secret("one")
    scene.release(imagePullSecrets=[{"name": "one"}])
    await scene.resolve()
    assert scene.verifier.accesses[-1].credentials == (credentials("one"),)


@pytest.mark.parametrize("kind", [SERVICE_ACCOUNTS, CONFIG_MAPS], ids=lambda kind: kind.plural)
async def test_an_api_server_that_fails_leaves_it_unresolved_with_what_to_do(
    scene: Scene, kind: Kind
) -> None:
    scene.release(names("ConfigMap"))
    scene.config()
    scene.api.refuses[kind] = Forbidden(f"cannot get {kind.plural}")
    result = await scene.fail()
    assert result.reason == "ApiError"
    assert result.message == f"cannot get {kind.plural}; {Forbidden.advice}"


async def test_the_verdict_is_of_all_containers_by_the_policies_that_hold_now(
    scene: Scene,
) -> None:
    scene.put(NAMESPACES, {"metadata": {"name": "demo", "labels": {"tier": "prod"}}})
    allowed = {"registries": {"insecure": ["registry.test"]}, "unsafeAllowUnsigned": True}
    scene.put(POLICIES, {"metadata": {"name": "signed"}, "spec": allowed})
    scene.pull_secret("one")
    scene.account("one")
    view = await scene.prover.verify(scene.revision(), ASKED)
    assert (view.verdict, view.reason, view.message) == ("Verified", "Signed", "alice signed it")
    assert (view.policies, view.at) == ("p1", NOW)
    assert scene.verifier.images == [
        ImageUse("app", False, f"app@{DIGEST}"),
        ImageUse("i", True, f"i@{DIGEST}"),
    ]
    assert scene.verifier.policies == ["signed"]
    assert scene.verifier.labels == {"tier": "prod"}
    (access,) = scene.verifier.accesses
    assert access.insecure == {"registry.test"}
    assert access.credentials == (credentials("one"),)


async def test_a_policy_that_cannot_be_read_leaves_the_verdict_unknown(scene: Scene) -> None:
    scene.put(POLICIES, {"metadata": {"name": "good"}, "spec": {"unsafeAllowUnsigned": True}})
    scene.put(POLICIES, {"metadata": {"name": "newer"}, "spec": {"quorum": "many"}})
    view = await scene.prover.verify(scene.revision(), ASKED)
    assert (view.verdict, view.reason) == ("Unknown", "InvalidPolicy")
    assert view.message.startswith("a policy cannot be read: ReleasePolicy newer: ")
    assert scene.verifier.accesses == [], "nothing is asked by the policies that are left"


async def test_an_api_server_that_fails_leaves_the_verdict_unknown(scene: Scene) -> None:
    scene.api.refuses[SERVICE_ACCOUNTS] = Unavailable("no answer")
    view = await scene.prover.verify(scene.revision(), ASKED)
    assert (view.verdict, view.reason) == ("Unknown", "ApiError")
    assert view.message == (
        f"pull secrets or trust roots could not be read: no answer; {Unavailable.advice}"
    )
    assert (view.policies, view.at) == ("p1", NOW)
