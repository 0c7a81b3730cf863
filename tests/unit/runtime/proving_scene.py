"""A release, a cluster in memory and a scripted registry, for what proves releases."""

import base64
import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from immutablerelease.api.objects import Revision
from immutablerelease.api.policy import Policy
from immutablerelease.core.plan import Verify
from immutablerelease.core.snapshot import Resolution, Snapshot, Unresolved
from immutablerelease.runtime.client import (
    CONFIG_MAPS,
    RELEASES,
    SECRETS,
    SERVICE_ACCOUNTS,
    ApiError,
    Kind,
    Object,
)
from immutablerelease.runtime.controller import Memory
from immutablerelease.runtime.observe import Observer
from immutablerelease.runtime.proving import Prover
from immutablerelease.runtime.store import Store
from immutablerelease.runtime.trust import TrustReader
from immutablerelease.verification.access import Access
from immutablerelease.verification.errors import NotFound
from immutablerelease.verification.resolve import Resolved
from immutablerelease.verification.trust import NO_TRUST, Trust
from immutablerelease.verification.verdict import ImageUse, Verdict
from immutablerelease.verification.verifier import Verifier
from tests.unit.shell.connection import Connection
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import KEY, Instant, manifest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = f"sha256:{'a' * 64}"
ASKED = Verify("shop-1", "p1")


def jitter() -> random.Random:
    return random.Random(7)  # noqa: S311 (spreads load)


class Line(Connection):
    """The way to the API server, with what it refuses by kind."""

    def __init__(self, cluster: FakeCluster) -> None:
        super().__init__(cluster)
        self.refuses: dict[Kind, ApiError] = {}

    async def before(self, verb: str, kind: Kind, name: str) -> None:
        if kind in self.refuses:
            raise self.refuses[kind]


class Scripted(Verifier):
    """Knows every image that is not said to be missing, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: 0.0)
        self.missing: set[str] = set()
        self.resolved: list[str] = []
        self.accesses: list[Access] = []
        self.images: list[ImageUse] = []
        self.policies: list[str] = []
        self.labels: Mapping[str, str] = {}
        self.max_ages: list[float | None] = []
        self.verdict = Verdict("Verified", "Signed", "alice signed it")

    async def resolve(self, image: str, access: Access) -> Resolved:
        self.resolved.append(image)
        self.accesses.append(access)
        if image in self.missing:
            raise NotFound(f"{image} is not there")
        return Resolved(image, f"{image.rpartition(':')[0]}@{DIGEST}", DIGEST)

    async def verify(
        self,
        images: Sequence[ImageUse],
        policies: Sequence[Policy],
        *,
        namespace: str,
        namespace_labels: Mapping[str, str],
        access: Access,
        trust: Trust = NO_TRUST,
        max_age: float | None = None,
    ) -> Verdict:
        self.max_ages.append(max_age)
        self.images = list(images)
        self.policies = [policy.metadata.name for policy in policies]
        self.labels = namespace_labels
        self.accesses.append(access)
        return self.verdict


class Scene:
    """One release in namespace demo, and a prover to ask."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.api = Line(self.cluster)
        self.store = Store()
        self.verifier = Scripted()
        self.observer = Observer(self.store, Memory(), Instant())
        trust = TrustReader(self.api, "operator")
        self.prover = Prover(self.api, self.observer, self.verifier, trust, lambda: NOW, jitter())
        self.release()

    def release(self, container: Mapping[str, Any] | None = None, **spec: Any) -> None:
        """Write the release: one container with what the case adds, and a spec of its Pods."""
        app = {"name": "app", "image": "registry.test/app:v1", **(container or {})}
        self.put(RELEASES, manifest(template={"spec": {"containers": [app], **spec}}))

    def put(self, kind: Kind, obj: Object) -> Object:
        stored = self.cluster.put(kind, obj)
        self.store.put(kind, stored)
        return stored

    def config(self, name: str = "settings", kind: Kind = CONFIG_MAPS, **fields: Any) -> Object:
        fields = fields or {"data": {"colour": "blue"}}
        return self.cluster.put(kind, {"metadata": {"name": name, "namespace": "demo"}, **fields})

    def pull_secret(self, name: str, **fields: Any) -> Object:
        """A pull secret for a registry of that name, unless the case says what is in it."""
        config = base64.b64encode(json.dumps(credentials(name)).encode()).decode()
        usual = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": config}}
        return self.config(name, SECRETS, **(usual | fields))

    def account(self, *pull_secrets: str, name: str = "default") -> None:
        references = [{"name": item} for item in pull_secrets]
        self.config(name, SERVICE_ACCOUNTS, imagePullSecrets=references)

    def snapshot(self) -> Snapshot:
        snapshot = self.observer.snapshot(KEY)
        assert snapshot is not None
        return snapshot

    async def resolve(self) -> Resolution:
        result = await self.prover.resolve(self.snapshot())
        assert isinstance(result, Resolution), result
        return result

    async def fail(self) -> Unresolved:
        result = await self.prover.resolve(self.snapshot())
        assert isinstance(result, Unresolved), result
        return result

    def revision(self) -> Snapshot:
        """The snapshot with a revision of one container and one init container."""
        spec = {
            "release": "shop",
            "number": 1,
            "generation": 1,
            "templateHash": "h1",
            "template": {"spec": {}},
            "images": [
                {"container": "app", "source": "app:v1", "image": f"app@{DIGEST}"},
                {"container": "i", "init": True, "source": "i:v1", "image": f"i@{DIGEST}"},
            ],
        }
        metadata = {"name": "shop-1", "namespace": "demo", "uid": "uid-shop-1"}
        revision = Revision.read({"metadata": metadata, "spec": spec})
        snapshot = self.snapshot()
        return Snapshot(snapshot.release, snapshot.template_hash, {"shop-1": revision})

    def copies(self, kind: Kind = CONFIG_MAPS) -> list[Object]:
        return [obj for obj in self.cluster.of(kind) if obj.get("immutable")]


def credentials(registry: str) -> dict[str, Any]:
    return {"auths": {registry: {"username": "u", "password": "p"}}}
