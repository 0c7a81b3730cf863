"""kopf as the transport of watches, and as nothing else: what it is told to do and to leave.

It keeps no state on any object, and so it need not find out what changed in one: by itself it
copies every object that it is told of several times over for that.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import kopf
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from immutablerelease.health.address import authority

from .client import Kind


async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Credentials as the operator's own client has them."""
    account = kopf.login_with_service_account(**kwargs)
    if account is None:
        return kopf.login_with_kubeconfig(**kwargs)
    # By address, as every client in a Pod: kopf's own way needs the cluster's DNS to work.
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return dataclasses.replace(account, server=f"https://{authority(host, int(port))}")


def settings(selectors: Mapping[Kind, str], *, namespaced: bool) -> kopf.OperatorSettings:
    """How to watch, and of which kinds only what a label selector picks."""
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    made.scanning.disabled = namespaced
    made.networking.connect_timeout = 5
    made.networking.request_timeout = 30
    # Streams end by themselves before anything in between forgets them.
    made.watching.connect_timeout = 5
    made.watching.server_timeout = 290
    made.watching.client_timeout = 300
    made.watching.chunk_size = 500
    made.persistence.diffbase_storage = Unchanged()
    made.persistence.progress_storage = Unrecorded()
    for kind, selector in selectors.items():
        made.watching.label_selectors[_selects(kind)] = selector
    return made


def _selects(kind: Kind) -> Callable[[kopf.Resource], bool]:
    return lambda resource: (resource.group, resource.plural) == (kind.group, kind.plural)


class Unchanged(kopf.DiffBaseStorage):
    """Finds no change in anything: no handler is for changes."""

    def build(
        self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None
    ) -> kopf.BodyEssence:
        """Nothing of the object."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Nothing was kept."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Keep nothing."""


class Unrecorded(kopf.ProgressStorage):
    """Knows of no handler that is not through."""

    def fetch(self, *, key: kopf.HandlerId, body: kopf.Body) -> None:
        """Nothing was kept."""
        return

    def store(
        self, *, key: kopf.HandlerId, record: Any, body: kopf.Body, patch: kopf.Patch
    ) -> None:
        """Keep nothing."""

    def purge(self, *, key: kopf.HandlerId, body: kopf.Body, patch: kopf.Patch) -> None:
        """There is nothing to remove."""

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Leave the object as it is."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """As it came: nothing of ours is in it."""
        return essence


class Forgetful(ResourceMemories):
    """Keeps nothing between two events of an object.

    What kopf would keep of each, for as long as it exists, is for daemons, timers and handlers of
    changes: 800 bytes for every Pod, Service and whatever else is watched.
    """

    async def recall(
        self,
        raw_body: kopf.RawBody,
        *,
        memobase: Any = None,
        noticed_by_listing: bool = False,
        ephemeral: bool = False,
    ) -> ResourceMemory:
        """A new one."""
        return await super().recall(
            raw_body, memobase=memobase, noticed_by_listing=noticed_by_listing, ephemeral=True
        )
