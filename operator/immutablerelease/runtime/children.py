"""What is made for a release: created under names that follow from it, over nobody else's."""

from immutablerelease.api.meta import MANAGED_BY_LABEL, MANAGER
from immutablerelease.core.snapshot import Snapshot

from .client import AlreadyExists, Api, Kind, NotFound, Object
from .store import Store


class NameTaken(Exception):
    """An object that is not this release's has the name of one that the operator needs."""

    def __init__(self, kind: Kind, name: str) -> None:
        super().__init__(f"{kind.kind}/{name}")
        self.object = f"{kind.kind}/{name}"


class StillThere(Exception):
    """What is to be made anew is there still, on its way out; decide anew."""


class Children:
    """Writes them, and keeps the store in step with what was written."""

    def __init__(self, api: Api, store: Store) -> None:
        self._api = api
        self._store = store

    async def apply(self, kind: Kind, obj: Object) -> None:
        """Write an object that changes with the release."""
        self._store.put(kind, await self._api.apply(kind, obj["metadata"]["namespace"], obj))

    async def create(self, snapshot: Snapshot, kind: Kind, obj: Object) -> Object | None:
        """Create an object; the one that is there already, which must be this release's."""
        metadata = obj["metadata"]
        try:
            self._store.put(kind, await self._api.create(kind, metadata["namespace"], obj))
        except AlreadyExists:
            found = await self.find(snapshot, kind, metadata["name"])
            if found is not None and "deletionTimestamp" in found["metadata"]:
                raise StillThere(f"{kind.kind} {metadata['name']} is still being deleted") from None
            return found
        return None

    async def replace(self, kind: Kind, obj: Object) -> None:
        """Replace an object that was read a moment ago."""
        self._store.put(kind, await self._api.replace(kind, obj["metadata"]["namespace"], obj))

    async def find(self, snapshot: Snapshot, kind: Kind, name: str) -> Object | None:
        """The object of that name, if there is one; it is this release's."""
        try:
            found = await self._api.get(kind, snapshot.release.metadata.namespace, name)
        except NotFound:
            return None
        if not is_ours(found) or not belongs(found, snapshot):
            raise NameTaken(kind, name)
        self._store.put(kind, found)
        return found

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object; one that has its name by now is left alone."""
        known = self._store.get(kind, namespace, name)
        try:
            uid = known["metadata"]["uid"] if known else None
            await self._api.delete(kind, namespace, name, uid=uid)
        except NotFound:
            pass
        if known:
            self._store.remove(kind, known)


def is_ours(obj: Object) -> bool:
    """Whether the operator made an object."""
    labels = obj["metadata"].get("labels") or {}
    return bool(labels.get(MANAGED_BY_LABEL) == MANAGER)


def belongs(obj: Object, snapshot: Snapshot) -> bool:
    """Whether an object carries this very release, not an earlier one of the same name."""
    uids = {snapshot.release.metadata.uid}
    uids |= {revision.metadata.uid for revision in snapshot.revisions.values()}
    owners = obj["metadata"].get("ownerReferences") or ()
    return any(reference["uid"] in uids for reference in owners)
