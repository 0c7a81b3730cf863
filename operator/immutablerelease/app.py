"""The operator as a process: wires its parts, runs them, and stops them in order.

kopf is the shell and the transport of watches. Its handlers only put what they are told into the
store and the key of the release that it concerns into the queue; nothing of kopf is written to any
object.
"""

import asyncio
import logging
import os
import random
import re
import signal
import sys
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiohttp
from prometheus_client import CollectorRegistry

from immutablerelease.api.meta import MANAGER
from immutablerelease.api.policy import Policy
from immutablerelease.health.attempt import attempt
from immutablerelease.health.http import new_session
from immutablerelease.health.prober import Prober
from immutablerelease.health.prometheus import Servers
from immutablerelease.runtime.controller import Controller, Memory
from immutablerelease.runtime.events import Events
from immutablerelease.runtime.execute import Executor
from immutablerelease.runtime.gateways import Gateways
from immutablerelease.runtime.key import Key
from immutablerelease.runtime.kubeapi import KubeApi
from immutablerelease.runtime.lease import Elector
from immutablerelease.runtime.liveness import Health
from immutablerelease.runtime.logs import set_up_logging
from immutablerelease.runtime.metrics import Metrics
from immutablerelease.runtime.observe import Observer
from immutablerelease.runtime.policy_status import PolicyStatuses
from immutablerelease.runtime.proving import Prover
from immutablerelease.runtime.queue import WorkQueue, run_workers
from immutablerelease.runtime.routers import Presence
from immutablerelease.runtime.store import Store
from immutablerelease.runtime.telling import Telling
from immutablerelease.runtime.trust import TrustReader
from immutablerelease.runtime.watching import Watching, WatchingEnded
from immutablerelease.runtime.web import Web
from immutablerelease.runtime.work import Work
from immutablerelease.traffic.proof import Proofs, ask
from immutablerelease.verification.verifier import Verifier

log = logging.getLogger(__name__)

WORKERS = 16
_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Options:
    """What the environment says."""

    namespaces: tuple[str, ...]
    port: int
    log_format: str
    # Where the Lease is.
    namespace: str
    # Names this process in Events and in the Lease. A Pod keeps its name over its processes'
    # lives, and never has two at a time, so that a restarted one takes up its lease at once.
    identity: str
    prometheus: Servers

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """From variables with the prefix IRO_; raises ValueError with what to correct."""
        port = environment.get("IRO_PORT", "8080")
        log_format = environment.get("IRO_LOG_FORMAT", "json")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"IRO_PORT must be a port number (got {port!r})")
        if log_format not in ("json", "text"):
            raise ValueError(f"IRO_LOG_FORMAT must be json or text (got {log_format!r})")
        identity = environment.get("IRO_IDENTITY") or f"{os.uname().nodename}-{os.getpid()}"
        namespace = environment.get("IRO_NAMESPACE") or "immutable-release-system"
        names = environment.get("IRO_WATCH_NAMESPACES", "").split(",")
        namespaces = tuple(name.strip() for name in names if name.strip())
        for name in namespaces:
            if not _NAMESPACE.fullmatch(name):
                raise ValueError(
                    "IRO_WATCH_NAMESPACES must be names of namespaces with commas between them "
                    f"(got {name!r})"
                )
        return cls(namespaces, int(port), log_format, namespace, identity, _servers(environment))


def _servers(environment: Mapping[str, str]) -> Servers:
    url = environment.get("IRO_PROMETHEUS_URL", "").strip()
    names = environment.get("IRO_PROMETHEUS_OTHERS", "").split(",")
    others = tuple(name.strip() for name in names if name.strip())
    for found in (*([url] if url else []), *others):
        if not _URL.fullmatch(found):
            raise ValueError(
                "IRO_PROMETHEUS_URL and IRO_PROMETHEUS_OTHERS must be URLs, such as "
                f"http://prometheus.monitoring:9090 (got {found!r})"
            )
    token = environment.get("IRO_PROMETHEUS_TOKEN_FILE", "")
    return Servers(url, others, Path(token) if token else None)


class App:
    """All parts of the operator, wired."""

    def __init__(
        self, options: Options, api: KubeApi, metrics: Metrics, http: aiohttp.ClientSession
    ) -> None:
        jitter = random.Random()  # noqa: S311 (spreads load, protects nothing)
        store = Store()
        memory = Memory()
        self.queue: WorkQueue[Key] = WorkQueue(jitter=jitter, observer=metrics.queue)
        metrics.queue.watch(self.queue)
        self.verifier = Verifier(clock=time.monotonic, observer=metrics)
        self.prober: Prober[Key] = Prober(
            attempt=partial(attempt, session=http, clock=now, servers=options.prometheus),
            on_change=self.queue.add,
        )
        self.trust = TrustReader(api, options.namespace)
        self.observer = Observer(store, memory, self.prober, lambda: self.trust.known)
        gateways, presence = Gateways(api, self.observer.namespace_labels), Presence(api)
        self.proofs: Proofs[Key] = Proofs(
            find=gateways.doors, ask=partial(ask, session=http), on_change=self.queue.add
        )
        memory.presence, memory.proofs = presence, self.proofs
        prover = Prover(api, self.observer, self.verifier, self.trust, now, jitter)
        self.work = Work(
            resolve=prover.resolve, verify=prover.verify, on_result=self.queue.add, jitter=jitter
        )
        memory.work = self.work
        self.events = Events(api, instance=options.identity, on_drop=metrics.event_dropped)
        self.health = Health(self.queue)
        self.web = Web(self.health, metrics.registry, port=options.port)
        self._metrics = metrics
        self._leading = asyncio.Event()
        self.elector = Elector(
            api,
            namespace=options.namespace,
            name=MANAGER,
            identity=options.identity,
            on_acquired=self._leading.set,
            on_lost=self._lost,
            jitter=jitter,
        )
        self.policies: WorkQueue[str] = WorkQueue(jitter=jitter)
        self.policy_statuses = PolicyStatuses(
            api,
            store,
            trust=self.trust,
            judge=self.verifier,
            queue=self.policies,
            now=now,
            leading=lambda: self.elector.leading,
        )
        self.watching = Watching(
            api,
            store,
            enqueue=self.queue.add,
            policy_changed=self.policies.add,
            namespaces=options.namespaces,
            watches=self.health.watches,
        )
        self.controller = Controller(
            api=api,
            observer=self.observer,
            executor=Executor(api, store, gateways),
            memory=memory,
            work=self.work,
            prober=self.prober,
            proofs=self.proofs,
            presence=presence,
            queue=self.queue,
            teller=Telling(self.events, metrics),
            now=now,
            clock=time.monotonic,
            leading=lambda: self.elector.leading,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Stand by, lead, and work until told to stop; what ends by itself ends the process."""
        await self.web.start()
        self.health.standby = True
        election = asyncio.create_task(self.elector.run(), name="election")
        try:
            await first(self._leading.wait(), stop.wait())
            if not stop.is_set():
                self.health.standby = False
                self._metrics.leading(True)
                await self._work(stop)
        finally:
            election.cancel()
            await asyncio.gather(election, return_exceptions=True)

    async def _work(self, stop: asyncio.Event) -> None:
        await self.watching.read(stop)
        if stop.is_set():
            return
        # Before anything is decided: else all that runs would look as if trust roots had changed.
        await self.trust.refresh(self._policies())
        self.health.filled = True
        log.info("the cluster was read; watching")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(stop), name="watching")
            group.create_task(self.watching.resync(stop), name="resync")
            replaced = self.watching.policies_changed
            group.create_task(self.trust.watch(self._policies, replaced, stop), name="trust")
            workers = group.create_task(run_workers(self.queue, self.controller.handle, WORKERS))
            group.create_task(run_workers(self.policies, self.policy_statuses.handle, 1))
            events = group.create_task(self.events.run(), name="events")
            await stop.wait()
            log.info("stopping")
            self.policies.shut_down()
            self.queue.shut_down()
            await workers
            await self.events.drain(STOP_SECONDS)
            events.cancel()

    def _policies(self) -> Sequence[Policy]:
        return self.observer.policies().readable

    async def _watch(self, stop: asyncio.Event) -> None:
        try:
            # kopf takes signals for itself, and its end by one would look like a failure.
            await self.watching.watch(stop, begun=partial(heed_signals, stop))
        except WatchingEnded as error:
            log.critical("%s; this process ends, for only a new one has new watches", error)
            # What kopf leaves behind may wait for ever, and an orderly end would wait for it.
            os._exit(1)

    def _lost(self) -> None:
        """Another process may work from now on: end at once, before anything else is written."""
        os._exit(1)

    async def close(self) -> None:
        """End what is under way."""
        await self.work.close()
        await self.prober.close()
        await self.proofs.close()
        await self.verifier.close()
        await self.web.stop()


async def first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait for the first of several things."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def now() -> datetime:
    """The time, for what is written down."""
    return datetime.now(UTC)


def heed_signals(stop: asyncio.Event) -> None:
    """From now on SIGTERM and SIGINT ask to stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def serve(options: Options) -> None:
    """Run the operator until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    heed_signals(stop)
    metrics = Metrics(CollectorRegistry())
    api = await KubeApi.connect(observe=metrics.requested)
    try:
        async with new_session() as http:
            app = App(options, api, metrics, http)
            try:
                await app.run(stop)
            finally:
                await app.close()
    finally:
        await api.close()


def main() -> None:
    """Entry point of the process."""
    try:
        options = Options.read(os.environ)
    except ValueError as error:
        sys.exit(f"immutable-release-operator: {error}")
    set_up_logging(options.log_format)
    asyncio.run(_to_the_end(options))


async def _to_the_end(options: Options) -> None:
    await serve(options)
    # All of ours is closed by now. What kopf leaves behind the end of a loop would wait for.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
