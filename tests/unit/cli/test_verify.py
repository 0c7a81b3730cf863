"""`kubectl immutable verify` says what the cluster would say; the exit code says it too."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from immutablerelease.api.policy import Policy
from immutablerelease.cli.main import main
from tests.unit.verification import attesting, keyless, signing
from tests.unit.verification.scene import Scene, set_up
from tests.unit.verification.simulated_sigstore import trusted

HEAD = "apiVersion: immutablerelease.io/v1alpha1\nkind: ReleasePolicy"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with set_up() as made:
        yield made


def write(path: Path, policy: Policy, *objects: dict[str, Any]) -> Path:
    """The policy as an admin keeps it in a file, and what it refers to."""
    document = {
        "apiVersion": "immutablerelease.io/v1alpha1",
        "kind": "ReleasePolicy",
        "metadata": {"name": policy.metadata.name},
        "spec": policy.spec.wire(),
    }
    path.write_text(
        yaml.safe_dump_all([{"kind": "Namespace"}, *objects, document]), encoding="utf-8"
    )
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


async def test_a_namespace_that_no_policy_speaks_of_is_named(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.bundle()
    policy = scene.trust()
    match = policy.spec.match.model_copy(update={"namespaces": ("shop",)})
    spec = policy.spec.model_copy(update={"match": match})
    path = write(tmp_path / "policy.yaml", replace(policy, spec=spec))
    assert await call(scene, path, "-o", "json", "-n", "elsewhere") == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["reason"]) == ("Refused", "NoPolicy")
    assert "in namespace elsewhere; name another one with -n" in answer["message"]


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
        (f"{HEAD}\nmetadata: {{name: p}}", "lacks 'spec'"),
        (f"{HEAD}\nmetadata: {{name: p}}\nspec: {{match: 5}}", "spec.match"),
        (f"{HEAD}\nmetadata: {{name: p}}\nspec: {{quorom: 2}}", "spec.quorom: Extra inputs"),
        (
            f"{HEAD}\nmetadata: {{name: p}}\nspec: {{match: {{image: ['a/**']}}}}",
            "spec.match.image: Extra inputs",
        ),
    ],
    ids=[
        "no file",
        "no YAML",
        "no policy",
        "no spec",
        "a bad field",
        "an unknown field",
        "one further in",
    ],
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


def config_map(**changes: Any) -> dict[str, Any]:
    """The trust root where an admin keeps it."""
    name, key = keyless.ROOT
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "immutable-release-system"},
        "data": {key: trusted().root()},
        **changes,
    }


def secret(pem: str, **changes: Any) -> dict[str, Any]:
    """A public key where an admin keeps it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "data": {"team.pub": base64.b64encode(pem.encode()).decode()},
        **changes,
    }


def by_secret(scene: Scene) -> Policy:
    """A policy whose key is in a Secret."""
    key = {"secretRef": {"name": "keys", "key": "team.pub"}}
    return keyless.policy(scene.registry, {"name": "team", "key": key})


async def test_an_identity_is_proven_by_a_trust_root_in_the_same_file(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keyless.attach(scene, keyless.Keyless())
    policy = keyless.policy(scene.registry)
    assert await call(scene, write(tmp_path / "policy.yaml", policy, config_map())) == 0
    shown = capsys.readouterr().out
    assert f"signed by   release, {keyless.SUBJECT}, vouched for by {keyless.ISSUER}" in shown
    assert "log entry" in shown


async def test_a_trust_root_may_come_by_another_file(scene: Scene, tmp_path: Path) -> None:
    keyless.attach(scene, keyless.Keyless())
    root = tmp_path / "root.yaml"
    root.write_text(yaml.safe_dump(config_map()), encoding="utf-8")
    path = write(tmp_path / "policy.yaml", keyless.policy(scene.registry))
    assert await call(scene, path, "--policy", str(root)) == 0


async def test_another_identity_is_refused_by_name(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keyless.attach(scene, keyless.Keyless())
    stranger = {"issuer": keyless.ISSUER, "subject": "somebody@else.example"}
    policy = keyless.policy(scene.registry, keyless.authority(identities=[stranger]))
    path = write(tmp_path / "policy.yaml", policy, config_map())
    assert await call(scene, path, "-o", "json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["reason"] == "WrongIdentity"
    assert keyless.SUBJECT in answer["message"]


async def test_a_name_from_a_certificate_cannot_write_to_the_terminal(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stranger may get a certificate in any name, and would like it to read as a verdict."""
    trick = "https://x.example/\x1b[2J\x1b[HVerified"
    made = keyless.Keyless(names=[x509.UniformResourceIdentifier(trick)])
    keyless.attach(scene, made)
    path = write(tmp_path / "policy.yaml", keyless.policy(scene.registry), config_map())
    assert await call(scene, path) == 1
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.startswith("Refused")


@pytest.mark.parametrize("field", ["data", "stringData"])
async def test_a_key_is_taken_from_a_secret(scene: Scene, tmp_path: Path, field: str) -> None:
    scene.bundle()
    pem = signing.key().pem
    given = secret(pem) if field == "data" else secret("", stringData={"team.pub": pem})
    assert await call(scene, write(tmp_path / "policy.yaml", by_secret(scene), given)) == 0
    wrong = secret(signing.key("mallory").pem)
    assert await call(scene, write(tmp_path / "policy.yaml", by_secret(scene), wrong)) == 1


async def test_a_private_key_in_a_secret_is_refused_and_not_shown(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.bundle()
    private = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
    path = write(tmp_path / "policy.yaml", by_secret(scene), secret(private))
    assert await call(scene, path) == 1
    shown = "".join(capsys.readouterr())
    assert "UnusableKey" in shown
    assert "must be replaced" in shown
    assert "c2VjcmV0" not in shown


async def test_provenance_names_its_source(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.bundle()
    attesting.attest(scene, attesting.SLSA, attesting.slsa())
    policy = scene.trust(attestations=[attesting.BUILT_HERE])
    assert await call(scene, write(tmp_path / "policy.yaml", policy)) == 0
    shown = capsys.readouterr().out
    assert f"source      {attesting.REPOSITORY} at {attesting.COMMIT}" in shown
    assert "attested by" in shown
    assert await call(scene, tmp_path / "policy.yaml", "-o", "json") == 0
    source = json.loads(capsys.readouterr().out)["source"]
    assert (source["repository"], source["commit"]) == (attesting.REPOSITORY, attesting.COMMIT)


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        ([], "ConfigMap sigstore, which no file holds; add it"),
        ([config_map(data={"root.json": "{}"})], "it has the keys: root.json"),
        ([config_map(data=None)], "it has the keys: none"),
        (
            [config_map(metadata={"name": "sigstore", "namespace": "shop"})],
            "only for shop; policies refer to the operator's own, which --operator-namespace names",
        ),
        ([config_map(apiVersion="example.com/v1")], "which no file holds"),
        ([config_map(kind="Secret", data={})], "which no file holds"),
        ([config_map(), config_map()], "ConfigMap sigstore is given twice"),
        ([config_map(data={"trusted_root.json": {"a": 1}})], "must be texts by their keys"),
        ([config_map(metadata={"name": 5})], "lacks a name"),
        ([config_map(metadata=[])], "lacks a name"),
    ],
    ids=[
        "absent",
        "another key",
        "empty",
        "another namespace",
        "another API",
        "a Secret",
        "given twice",
        "no text",
        "a name that is none",
        "no metadata",
    ],
)
async def test_what_a_policy_refers_to_must_be_there(
    scene: Scene,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    objects: list[dict[str, Any]],
    told: str,
) -> None:
    path = write(tmp_path / "policy.yaml", keyless.policy(scene.registry), *objects)
    assert await call(scene, path) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


async def test_objects_are_those_of_the_operators_own_namespace(
    scene: Scene, tmp_path: Path
) -> None:
    keyless.attach(scene, keyless.Keyless())
    name = keyless.ROOT[0]
    there = config_map(metadata={"name": name, "namespace": "releases"})
    elsewhere = config_map(metadata={"name": name, "namespace": "shop"}, data={})
    path = write(tmp_path / "policy.yaml", keyless.policy(scene.registry), elsewhere, there)
    assert await call(scene, path, "--operator-namespace", "releases") == 0


async def test_policies_that_do_not_speak_of_the_image_need_nothing(
    scene: Scene, tmp_path: Path
) -> None:
    scene.bundle()
    other = keyless.policy(scene.registry, name="other", match={"images": ["elsewhere.test/**"]})
    more = write(tmp_path / "other.yaml", other)
    path = write(tmp_path / "policy.yaml", scene.trust())
    assert await call(scene, path, "--policy", str(more)) == 0


def _nested(depth: int) -> str:
    return f"{HEAD}\nmetadata: {{name: p}}\nspec: {'[' * depth}{']' * depth}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "an alias in line 2"),
        ("a: &a [*a]", "an alias in line 1"),
        ("a: &a {x: 1}\nb: {<<: *a}", "an alias in line 2"),
        (f"{HEAD}\nkind: Secret", "the key kind in line 3 was there before"),
        (f"{HEAD}\nmetadata: {{name: p, name: q}}", "the key name in line 3 was there before"),
        (_nested(100_000), "nested too deeply"),
        ("a: 2026-13-45", "is not YAML"),
        ("a: !!python/object/apply:os.system [id]", "is not YAML"),
        ("? [a]\n: b", "is not YAML"),
        ("? {a: b}\n: b", "is not YAML"),
        (HEAD.replace("v1alpha1", "v9") + "\nmetadata: {name: p}", "v9, expected"),
        (HEAD, "lacks a name"),
        (
            f"{HEAD}\nmetadata: {{name: p}}\nspec: {{unsafeAllowUnsigned: true}}\n---\n"
            f"{HEAD}\nmetadata: {{name: p}}\nspec: {{unsafeAllowUnsigned: true}}",
            "ReleasePolicy p is given twice",
        ),
        (f"# {'x' * 3_000_000}", "more than 2097152 bytes"),
        ("a: \x01", "is not YAML"),
        ("- a\n- b", "holds no ReleasePolicy"),
        ("kind: List\nitems: []", "holds a List"),
        (
            'apiVersion: "\\e[2J\\u202e"\nkind: ReleasePolicy',
            r"apiVersion \x1b[2J\u202e, expected",
        ),
        ("- a\n" * 60_000, "more than 50000 values"),
    ],
    ids=[
        "aliases that multiply",
        "an alias of itself",
        "a merge",
        "two kinds",
        "two names",
        "a deep nest",
        "a date that is none",
        "a Python object",
        "a list as a key",
        "a mapping as a key",
        "another version",
        "no name",
        "one policy twice",
        "a very large file",
        "a control character",
        "no mapping",
        "a list of objects",
        "letters that move the cursor",
        "values without end",
    ],
)
def test_a_file_that_plays_tricks_is_one_clear_error(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    assert main(["verify", "registry.test/app:1", "--policy", str(path)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_device_is_read_no_further_than_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "registry.test/app:1", "--policy", "/dev/zero"]) == 2
    assert "more than" in capsys.readouterr().err


def test_a_label_must_be_a_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("examples/policy-key.yaml")
    arguments = ["verify", "registry.test/app:1", "--policy", str(path)]
    assert main([*arguments, "--namespace-label", "team"]) == 2
    assert "key=value" in capsys.readouterr().err
