"""One client's connection to a cluster in memory, which can be made worse than the cluster is."""

from immutablerelease.runtime.client import Kind, Object
from tests.unit.shell.fake_cluster import FakeCluster


class Connection:
    """The `Api` protocol; what derives from it says what happens around each request."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster

    async def before(self, verb: str, kind: Kind, name: str) -> None:
        """A request is made; an error from here keeps it from arriving."""

    async def after(self, verb: str, kind: Kind, name: str) -> None:
        """A request was carried out; an error from here takes the place of its answer."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        await self.before("get", kind, name)
        found = await self.cluster.get(kind, namespace, name)
        await self.after("get", kind, name)
        return found

    async def list(self, kind: Kind, namespace: str | None, *, selector: str = "") -> list[Object]:
        await self.before("list", kind, "")
        found = await self.cluster.list(kind, namespace, selector=selector)
        await self.after("list", kind, "")
        return found

    async def create(self, kind: Kind, namespace: str, obj: Object) -> Object:
        name = obj["metadata"]["name"]
        await self.before("create", kind, name)
        made = await self.cluster.create(kind, namespace, obj)
        await self.after("create", kind, name)
        return made

    async def apply(
        self, kind: Kind, namespace: str, obj: Object, *, subresource: str = ""
    ) -> Object:
        name = obj["metadata"]["name"]
        await self.before("apply", kind, name)
        applied = await self.cluster.apply(kind, namespace, obj, subresource=subresource)
        await self.after("apply", kind, name)
        return applied

    async def replace(self, kind: Kind, namespace: str, obj: Object) -> Object:
        name = obj["metadata"]["name"]
        await self.before("replace", kind, name)
        replaced = await self.cluster.replace(kind, namespace, obj)
        await self.after("replace", kind, name)
        return replaced

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> None:
        await self.before("delete", kind, name)
        await self.cluster.delete(kind, namespace, name, uid=uid, propagation=propagation)
        await self.after("delete", kind, name)
