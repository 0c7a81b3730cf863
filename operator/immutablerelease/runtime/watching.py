"""Keeps the store in step with the cluster: one list at the start, kopf's watches, slow resyncs.

kopf never reports an object that vanished between two of its lists, so a full list now and then
prunes the store. Child objects are filtered by label on the server.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kopf

from immutablerelease.api.meta import RELEASE_LABEL, REVISION_LABEL

from .client import (
    ACTIONS,
    BUDGETS,
    DAEMON_SETS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    ENDPOINT_SLICES,
    HTTP_ROUTES,
    JOBS,
    NAMESPACES,
    PODS,
    POLICIES,
    RELEASES,
    REVISIONS,
    SERVICES,
    VIRTUAL_SERVICES,
    Api,
    ApiError,
    Kind,
    NotFound,
)
from .key import Key
from .liveness import Watches
from .store import Store
from .transport import Forgetful, login, settings

log = logging.getLogger(__name__)

# Children carry the label of their release; the rest is watched whole.
CHILDREN = (
    REVISIONS,
    DEPLOYMENTS,
    DAEMON_SETS,
    JOBS,
    SERVICES,
    BUDGETS,
    PODS,
    ENDPOINT_SLICES,
    HTTP_ROUTES,
    VIRTUAL_SERVICES,
    DESTINATION_RULES,
)
# An EndpointSlice has the labels of its Service. Nobody asks where the Service of a revision leads.
SELECTORS: Mapping[Kind, str] = dict.fromkeys(CHILDREN, RELEASE_LABEL) | {
    ENDPOINT_SLICES: f"{RELEASE_LABEL},!{REVISION_LABEL}"
}
WHOLE = (NAMESPACES, POLICIES, ACTIONS, RELEASES)
# Kinds that a cluster may lack. kopf watches them from when they are there.
OPTIONAL = (HTTP_ROUTES, VIRTUAL_SERVICES, DESTINATION_RULES)
RESYNC_SECONDS = 600.0
# Between two attempts to list everything: the first pause, and the longest.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class WatchingEnded(Exception):
    """The watches ended though nobody stopped them; only a new process has new ones."""


class Watching:
    """Feeds the store and the queue."""

    def __init__(
        self,
        api: Api,
        store: Store,
        *,
        enqueue: Callable[[Key], None],
        policy_changed: Callable[[str], None],
        namespaces: Sequence[str],
        watches: Watches,
    ) -> None:
        self._api = api
        self._store = store
        self._enqueue = enqueue
        self._policy_changed = policy_changed
        self._namespaces = tuple(namespaces)
        self._watches = watches
        # Object and generation of each policy that releases were looked at for.
        self._said: dict[str, tuple[str, int | None]] = {}

    async def read(self, stop: asyncio.Event) -> None:
        """List everything once: nothing is decided before this.

        It is tried until it succeeds or the process is stopped. To end the process would cost the
        API server more: the next one begins with the same lists, and discovers all kinds again.
        """
        pause = FIRST_PAUSE
        while not stop.is_set():
            try:
                await self.fill()
            except ApiError as error:
                log.warning("not everything was listed, tried again: %s; %s", error, error.advice)
                await _sleep(max(pause, error.retry_after or 0.0), stop)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return

    async def fill(self) -> None:
        """List everything, or fail at the first list that fails."""
        for kind in (*WHOLE, *CHILDREN):
            for namespace in self._scopes(kind):
                await self._list(kind, namespace)
        self.policies_changed()

    async def resync(self, stop: asyncio.Event) -> None:
        """List everything again now and then, until stopped."""
        while not stop.is_set():
            await _sleep(RESYNC_SECONDS, stop)
            await self.read(stop)

    async def watch(self, stop: asyncio.Event, begun: Callable[[], None]) -> None:
        """Run kopf until stopped; `begun` is called once it has set itself up.

        kopf ends on what it does not expect, such as half an answer, and does not begin anew in the
        same process: the next process does, and loses nothing.

        Raises:
            WatchingEnded: It ends by itself. Some of its tasks may never end: end the process.
        """
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            memories=Forgetful(),
            settings=settings(SELECTORS, namespaced=bool(self._namespaces)),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
        )
        begun()
        self._watches.running = True
        try:
            # kopf takes all its tasks down with the first, and waits for them without an end.
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._watches.running = False
        if not stop.is_set():
            raise WatchingEnded(f"kopf ends: {'; '.join(_why(task) for task in ended)}")
        for task in tasks:
            # Not waited for: some never end, and there is nothing in them that could be lost.
            task.cancel()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(login)
        for kind in (*WHOLE, *CHILDREN):
            handler = self._handler(kind)
            kopf.on.event(
                group=kind.group,
                version=kind.version,
                plural=kind.plural,
                registry=registry,
                id=kind.plural,
            )(handler)
        return registry

    def _handler(self, kind: Kind) -> Callable[..., Any]:
        async def on_event(event: Mapping[str, Any], **_: object) -> None:
            self._take(kind, event["type"], dict(event["object"]))

        return on_event

    def _take(self, kind: Kind, event: str | None, obj: dict[str, Any]) -> None:
        self._watches.saw(kind.plural)
        if event == "DELETED":
            self._store.remove(kind, obj)
        elif not self._store.put(kind, obj):
            return
        self._concerns(kind, obj)

    def _concerns(self, kind: Kind, obj: Mapping[str, Any]) -> None:
        """Put the releases in the queue that an object is about."""
        metadata = obj["metadata"]
        namespace = metadata.get("namespace", "")
        if kind is RELEASES:
            self._enqueue(Key(namespace, metadata["name"]))
        elif kind is ACTIONS:
            self._enqueue(Key(namespace, obj["spec"]["release"]))
        elif kind is POLICIES:
            self._policy_changed(metadata["name"])
            if self._says_else(obj):
                self._enqueue_all()
        elif kind is NAMESPACES:
            for known, name in self._store.names(RELEASES, metadata["name"]):
                self._enqueue(Key(known, name))
        elif release := (metadata.get("labels") or {}).get(RELEASE_LABEL):
            self._enqueue(Key(namespace, release))

    def _says_else(self, policy: Mapping[str, Any]) -> bool:
        """Whether a policy says something else than when releases were last looked at for it.

        One of which only the status changed does not; one that is gone says nothing any more.
        """
        metadata = policy["metadata"]
        name, said = metadata["name"], (metadata["uid"], metadata.get("generation"))
        there = self._store.order(POLICIES, "", name) is not None
        known = self._said.pop(name, None)
        if there:
            self._said[name] = said
        return not there or known != said

    def policies_changed(self) -> None:
        """Look at all policies and releases anew: what policies refer to is not what it was."""
        for policy in self._store.all(POLICIES):
            self._policy_changed(policy["metadata"]["name"])
            self._says_else(policy)
        self._enqueue_all()

    def _enqueue_all(self) -> None:
        for namespace, name in self._store.names(RELEASES):
            self._enqueue(Key(namespace, name))

    def _scopes(self, kind: Kind) -> Sequence[str | None]:
        return self._namespaces if self._namespaces and kind.namespaced else (None,)

    async def _list(self, kind: Kind, namespace: str | None) -> None:
        mark = self._store.mark()
        try:
            live = await self._api.list(kind, namespace, selector=SELECTORS.get(kind, ""))
        except NotFound:
            if kind not in OPTIONAL:
                raise
            live = []
        news = [obj for obj in live if self._store.put(kind, obj)]
        gone = self._store.prune(kind, namespace, live, since=mark)
        self._watches.listed(kind.plural, news=bool(news))
        for obj in gone:
            self._concerns(kind, obj)


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    """Wait so long, or until stopped."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _why(task: asyncio.Task[object]) -> str:
    error = None if task.cancelled() else task.exception()
    return f"its {task.get_name()} ended" + (f": {type(error).__name__}: {error}" if error else "")
