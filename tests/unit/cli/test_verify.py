"""`kubectl immutable verify` says what the cluster would say; the exit code says it too."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from immutablerelease.api.policy import Policy
from immutablerelease.cli.main import main
from tests.unit.verification import signing
from tests.unit.verification.scene import Scene, set_up


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with set_up() as made:
        yield made


def write(path: Path, policy: Policy) -> Path:
    """The policy as an admin keeps it in a file."""
    document = {
        "apiVersion": "immutablerelease.io/v1alpha1",
        "kind": "ReleasePolicy",
        "metadata": {"name": policy.metadata.name},
        "spec": policy.spec.wire(),
    }
    path.write_text(yaml.safe_dump_all([{"kind": "Namespace"}, document]), encoding="utf-8")
    return path


async def call(scene: Scene, path: Path, *more: str) -> int:
    """Run the command; it has an event loop of its own, so in a thread of its own."""
    arguments = ["verify", f"{scene.registry.host}/team/app:1.0", "-n", "shop"]
    return await asyncio.to_thread(main, [*arguments, "--policy", str(path), *more])


async def test_a_signed_image_is_let_in_with_its_evidence(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = scene.bundle()
    assert await call(scene, write(tmp_path / "policy.yaml", scene.trust())) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Verified")
    assert scene.digest in shown
    assert manifest in shown


async def test_an_unsigned_image_is_refused(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "policy.yaml", scene.trust())
    assert await call(scene, path, "-o", "json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["reason"]) == ("Refused", "Unsigned")
    assert answer["evidence"] == []


async def test_a_foreign_signature_is_refused(scene: Scene, tmp_path: Path) -> None:
    scene.bundle()
    stranger = write(tmp_path / "policy.yaml", scene.trust(signing.key("mallory")))
    assert await call(scene, stranger) == 1


async def test_a_registry_that_fails_is_neither_yes_nor_no(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.registry.lies.status["/manifests/"] = 500
    assert await call(scene, write(tmp_path / "policy.yaml", scene.trust())) == 3
    assert "RegistryUnavailable" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("a: [", "is not YAML"),
        ("kind: ConfigMap", "holds no ReleasePolicy"),
        ("kind: ReleasePolicy\nmetadata: {name: p}", "lacks 'spec'"),
        ("kind: ReleasePolicy\nmetadata: {name: p}\nspec: {match: 5}", "spec.match"),
    ],
    ids=["no file", "no YAML", "no policy", "no spec", "a bad field"],
)
def test_a_policy_that_cannot_be_used_is_one_clear_error(
    text: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert main(["verify", "registry.test/app:1", "--policy", str(path)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_label_must_be_a_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("examples/policy-key.yaml")
    arguments = ["verify", "registry.test/app:1", "--policy", str(path)]
    assert main([*arguments, "--namespace-label", "team"]) == 2
    assert "key=value" in capsys.readouterr().err
