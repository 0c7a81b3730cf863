"""What files hold is read as the operator reads it from its namespace: the answers must agree."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from immutablerelease.api.policy import Policy
from immutablerelease.cli.documents import BadInput, read_files
from immutablerelease.runtime.client import CONFIG_MAPS, SECRETS
from immutablerelease.runtime.trust import TrustReader
from immutablerelease.verification.trust import Trust
from tests.unit.shell.fake_cluster import FakeCluster

NAMESPACE = "operator"
SPEC = {
    "authorities": [
        {"name": "team", "key": {"secretRef": {"name": "keys", "key": "team.pub"}}},
        {
            "name": "ci",
            "keyless": {"identities": [{"issuer": "https://issuer.test", "subject": "ci@test"}]},
            "trustRoot": {"configMapRef": {"name": "roots", "key": "root.json"}},
        },
    ]
}
POLICY = {
    "apiVersion": "immutablerelease.io/v1alpha1",
    "kind": "ReleasePolicy",
    "metadata": {"name": "p"},
    "spec": SPEC,
}


def _object(kind: str, name: str, data: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def _by_operator(objects: list[dict[str, Any]]) -> Trust:
    cluster = FakeCluster()
    for obj in objects:
        cluster.put(SECRETS if obj["kind"] == "Secret" else CONFIG_MAPS, obj)
    return await TrustReader(cluster, NAMESPACE).read([Policy.read(POLICY)])


def _by_command(folder: Path, objects: list[dict[str, Any]]) -> Trust | None:
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump_all([POLICY, *objects]), encoding="utf-8")
    given = read_files([path], NAMESPACE)
    try:
        return given.trust(given.policies)
    except BadInput:
        return None


@pytest.mark.parametrize(
    "root", [{"root.json": "{}"}, {"root.json": ""}, {"other": "{}"}, {}, None], ids=str
)
@pytest.mark.parametrize(
    "key",
    [
        {"team.pub": _encoded(b"the key")},
        {"team.pub": _encoded("schlüssel".encode())},
        {"team.pub": ""},
        {"team.pub": _encoded(b"\xff\xfe")},
        {"team.pub": "no base64!"},
        {"other": _encoded(b"the key")},
        None,
    ],
    ids=str,
)
async def test_a_file_says_what_the_cluster_would(tmp_path: Path, key: Any, root: Any) -> None:
    objects = [_object("Secret", "keys", key), _object("ConfigMap", "roots", root)]
    found = await _by_operator(objects)
    complete = len(found.secrets) == len(found.config_maps) == 1
    assert _by_command(tmp_path, objects) == (found if complete else None)


@pytest.mark.parametrize("gone", ["Secret", "ConfigMap"])
async def test_what_is_absent_is_absent_to_both(tmp_path: Path, gone: str) -> None:
    objects = [
        _object("Secret", "keys", {"team.pub": _encoded(b"the key")}),
        _object("ConfigMap", "roots", {"root.json": "{}"}),
    ]
    left = [obj for obj in objects if obj["kind"] != gone]
    found = await _by_operator(left)
    assert len(found.secrets) + len(found.config_maps) == 1
    assert _by_command(tmp_path, left) is None
