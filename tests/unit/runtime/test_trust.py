"""What policies refer to is read from the operator's own namespace, anew for every question."""

import base64
from typing import Any

from immutablerelease.api.policy import Policy
from immutablerelease.runtime.client import CONFIG_MAPS, SECRETS
from immutablerelease.runtime.trust import TrustReader
from tests.unit.shell.fake_cluster import FakeCluster


def _policy(*authorities: dict[str, Any]) -> Policy:
    return Policy.read(
        {"metadata": {"name": "p"}, "spec": {"authorities": list(authorities)}},
    )


KEYED = {"name": "team", "key": {"secretRef": {"name": "keys", "key": "team.pub"}}}
KEYLESS = {
    "name": "ci",
    "keyless": {"identities": [{"issuer": "https://issuer.test", "subject": "ci@test"}]},
    "trustRoot": {"configMapRef": {"name": "roots", "key": "trusted_root.json"}},
}


def _put(cluster: FakeCluster, namespace: str, key: bytes, root: str) -> None:
    encoded = base64.b64encode(key).decode()
    named = {"namespace": namespace}
    cluster.put(SECRETS, {"metadata": {"name": "keys", **named}, "data": {"team.pub": encoded}})
    cluster.put(
        CONFIG_MAPS, {"metadata": {"name": "roots", **named}, "data": {"trusted_root.json": root}}
    )


async def test_keys_and_roots_come_from_the_operators_namespace() -> None:
    cluster = FakeCluster()
    _put(cluster, "operator", b"the key", "the root")
    _put(cluster, "demo", b"another key", "another root")
    trust = await TrustReader(cluster, "operator").read([_policy(KEYED, KEYLESS)])
    assert trust.secrets == {("keys", "team.pub"): "the key"}
    assert trust.config_maps == {("roots", "trusted_root.json"): "the root"}


async def test_what_was_replaced_counts_at_once() -> None:
    cluster = FakeCluster()
    reader = TrustReader(cluster, "operator")
    _put(cluster, "operator", b"old", "old")
    before = await reader.read([_policy(KEYED)])
    _put(cluster, "operator", b"new", "new")
    after = await reader.read([_policy(KEYED)])
    assert (before.secrets, after.secrets) == (
        {("keys", "team.pub"): "old"},
        {("keys", "team.pub"): "new"},
    )


async def test_what_is_absent_or_no_text_is_left_out() -> None:
    cluster = FakeCluster()
    absent = await TrustReader(cluster, "operator").read([_policy(KEYED, KEYLESS)])
    assert (absent.secrets, absent.config_maps) == ({}, {})
    _put(cluster, "operator", b"\xff\xfe", "root")
    assert (await TrustReader(cluster, "operator").read([_policy(KEYED)])).secrets == {}


async def test_policies_that_refer_to_nothing_ask_for_nothing() -> None:
    pem = {"name": "team", "key": {"pem": "-----BEGIN PUBLIC KEY-----"}}
    trust = await TrustReader(FakeCluster(), "operator").read([_policy(pem)])
    assert (trust.secrets, trust.config_maps) == ({}, {})
