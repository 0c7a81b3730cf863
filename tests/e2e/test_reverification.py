"""What runs is verified again: when policies change, when their keys do, and when it is due."""

import base64
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from demo import manifests
from demo.images import Image, ImageMaker, Key, Layout
from demo.kube import Kube, Object
from demo.operator_process import NAMESPACE
from demo.releases import RevisionView
from devcluster import tool
from tests.e2e.shop import Shop

# Policies are watched; their keys in Secrets are read every 30 s.
SOON = 10.0
READ_AGAIN = 45.0
KEYS = "e2e-reverify-keys"


class Extra:
    """A policy beside the session's, for one namespace; versions are signed for both of them."""

    def __init__(
        self, kube: Kube, maker: ImageMaker, team: Key, registry: str, namespace: str
    ) -> None:
        self.maker = maker
        self.keys = {name: maker.key(name) for name in ("first", "second")}
        self.images: dict[str, Image] = {}
        self.name = f"reverify-{namespace}"
        self._kube = kube
        self._team = team
        self._registry = registry
        self._namespace = namespace

    def image(self, version: str, key: str) -> str:
        """A version that the team signed, and one of the keys of this policy."""
        made = self.maker.build(f"reverify-{version}", {"NONCE": self._namespace})
        self.maker.sign(made, self._team)
        self.maker.sign(made, self.keys[key], Layout.SIMPLE)
        self.images[version] = made
        return made.pinned

    def trust(self, *names: str, **reverify: str) -> None:
        """Write the policy so that it trusts these keys."""
        self.apply({name: {"pem": self.keys[name].public_pem} for name in names}, **reverify)

    def apply(self, keys: dict[str, Any], **reverify: str) -> None:
        """Write the policy with keys given in any way."""
        policy = manifests.policy(self.name, {}, [self._registry], [self._namespace])
        authorities = [{"name": name, "key": key} for name, key in keys.items()]
        policy["spec"] |= {"authorities": authorities, "reverify": dict(reverify)}
        self._kube.apply(policy)

    def delete_signature(self, version: str) -> None:
        """Delete what the policy's key signed; what the team signed stays."""
        image = self.images[version]
        tag = f"{image.repository}:{image.digest.replace(':', '-')}.sig"
        digest = _crane("digest", tag).strip()
        _crane("delete", f"{image.repository}@{digest}")


def _crane(*arguments: str) -> str:
    command = [str(tool("crane")), *arguments, "--insecure"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout


@pytest.fixture
def extra(
    kube: Kube, maker: ImageMaker, team: Key, registry: str, namespace: str
) -> Iterator[Extra]:
    """The policy that a test changes; gone when it ends."""
    made = Extra(kube, maker, team, registry, namespace)
    yield made
    kube.delete("ReleasePolicy", made.name)


def _released(shop: Shop, extra: Extra) -> tuple[RevisionView, RevisionView]:
    """v1 signed by the first key, then v2 by the second; v2 serves and is good, v1 is warm."""
    v1 = _serve(shop, "v1", extra.image("v1", "first"))
    v2 = _serve(shop, "v2", extra.image("v2", "second"))
    return v1, v2


def _serve(shop: Shop, version: str, image: str) -> RevisionView:
    revision = shop.when_applied(version, image=image)
    shop.then_serves(revision)
    return shop.release.await_good(revision.name)


def _verified(shop: Shop, revision: RevisionView) -> Object:
    conditions = shop.release.revision(revision.name).raw["status"]["conditions"]
    return next(dict(item) for item in conditions if item["type"] == "Verified")


def _await_verified(shop: Shop, revision: RevisionView, status: str, seconds: float) -> Object:
    def look() -> Object | None:
        found = _verified(shop, revision)
        return found if found["status"] == status else None

    return shop.then(f"Verified={status} of {revision.name}", look, seconds)


def test_a_key_that_is_trusted_no_more_takes_the_traffic_with_it(shop: Shop, extra: Extra) -> None:
    extra.trust("first", "second", onRefusal="Revert")
    v1, v2 = _released(shop, extra)
    users = shop.given_users()
    extra.trust("first", onRefusal="Revert")
    refused = _await_verified(shop, v2, "False", SOON)
    shop.then_serves(v1)
    users.await_calm("v1")
    assert users.so_far().failed == 0
    assert refused["reason"] == "WrongKey"
    assert shop.release.revision(v2.name).phase == "Rejected"
    assert "web" in shop.event("VerificationRefused")
    assert v2.name in shop.event("Reverted")
    assert shop.release.condition("Stalled")["status"] == "True"
    extra.trust("first", "second", onRefusal="Revert")
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0


def test_where_no_policy_wants_it_left_it_serves_on_and_is_told(shop: Shop, extra: Extra) -> None:
    extra.trust("first", "second")
    _, v2 = _released(shop, extra)
    since = shop.release.revision(v2.name).raw["status"]["activeSince"]
    users = shop.given_users()
    extra.trust("first")
    refused = _await_verified(shop, v2, "False", SOON)
    assert "it serves on" in refused["message"]
    shop.then(
        "Degraded and Stalled",
        lambda: (
            (
                shop.release.status().get("phase") == "Degraded"
                and shop.release.condition("Stalled").get("status") == "True"
            )
            or None
        ),
    )
    assert shop.release.condition("Verified")["status"] == "False"
    assert shop.release.selected() == v2.name
    extra.trust("first", "second")
    _await_verified(shop, v2, "True", SOON)
    shop.then("Ready", lambda: shop.release.condition("Ready").get("status") == "True" or None)
    assert shop.release.revision(v2.name).raw["status"]["activeSince"] == since, "no new rollout"
    users.await_calm("v2")
    assert users.so_far().failed == 0


def test_a_signature_that_was_deleted_is_missed_when_it_is_due(shop: Shop, extra: Extra) -> None:
    extra.trust("first", "second", every="30s", onRefusal="Revert")
    v1, v2 = _released(shop, extra)
    users = shop.given_users()
    extra.delete_signature("v2")
    refused = _await_verified(shop, v2, "False", READ_AGAIN)
    # What the team signed is all that is left.
    assert refused["reason"] == "WrongKey"
    assert f"policy {extra.name} wants" in refused["message"]
    shop.then_serves(v1)
    users.await_calm("v1")
    assert users.so_far().failed == 0


def test_a_key_that_is_replaced_in_its_secret_is_noticed(
    shop: Shop, extra: Extra, kube: Kube
) -> None:
    def put(name: str) -> None:
        pem = base64.b64encode(extra.keys[name].public_pem.encode()).decode()
        metadata = {"name": KEYS, "namespace": NAMESPACE}
        kube.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"key": pem}}
        )

    put("first")
    try:
        extra.apply({"team": {"secretRef": {"name": KEYS, "key": "key"}}})
        v1 = _serve(shop, "v1", extra.image("v1", "first"))
        put("second")
        refused = _await_verified(shop, v1, "False", READ_AGAIN)
        assert refused["reason"] == "WrongKey"
        put("first")
        _await_verified(shop, v1, "True", READ_AGAIN)
        assert shop.release.selected() == v1.name
    finally:
        kube.delete("Secret", KEYS, NAMESPACE)
