"""An API server in memory with the controllers that a release needs, behind the `Api` protocol.

It keeps what the real one does and the operator relies on: resourceVersions that a replacement must
name, generations that only a spec moves, status as a subresource, deletion of what is owned, and
writes that can be made to fail before or after they took effect.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from copy import deepcopy
from typing import Any

from immutablerelease.api.meta import RELEASE_LABEL, REVISION_LABEL
from immutablerelease.runtime.client import (
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    HTTP_ROUTES,
    PODS,
    RELEASES,
    SERVICES,
    AlreadyExists,
    Conflict,
    Kind,
    NotFound,
    Object,
)

Name = tuple[str, str, str]
Objects = list[Object]


class Killed(BaseException):
    """The operator was ended at this point."""


class FakeCluster:
    """Objects and the controllers that act on them when `settle` is called."""

    def __init__(self) -> None:
        self.objects: dict[Name, Object] = {}
        self.writes: list[str] = []
        # Told the number of each write and whether it took effect; may raise.
        self.interrupt: Callable[[int, bool], None] = lambda number, done: None
        # Revision -> state of its containers, for Pods that do not work.
        self.sick: dict[str, Object] = {}
        # Nodes that take a Pod of each DaemonSet, and those that are for one of them alone.
        self.nodes: list[str] = ["a", "b"]
        self.nodes_of: Callable[[str], list[str]] = lambda revision: self.nodes
        # Those that take no Pod on top of what they have: somebody holds the port.
        self.full: set[str] = set()
        # Whether the DaemonSet controller has told what it did.
        self.counted = True
        # Plurals of kinds that are not installed.
        self.absent: set[str] = set()
        # Whether gateways accept what they are asked.
        self.accepts = True
        self._version = 0
        self._uid = 0
        self._watches: list[tuple[Kind, asyncio.Queue[Object]]] = []

    # --- the Api protocol -------------------------------------------------------------------

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        try:
            return deepcopy(self.objects[(kind.plural, namespace, name)])
        except KeyError:
            resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
            raise NotFound(f'{resource} "{name}" not found') from None

    async def list(self, kind: Kind, namespace: str | None, *, selector: str = "") -> list[Object]:
        self._served(kind)
        wanted = [part.partition("=") for part in selector.split(",") if part]
        return [
            deepcopy(obj)
            for obj in self.of(kind, namespace)
            if all(_matches(obj, key, equals, value) for key, equals, value in wanted)
        ]

    async def create(self, kind: Kind, namespace: str, obj: Object) -> Object:
        metadata = obj["metadata"]
        if prefix := metadata.get("generateName"):
            obj = {**obj, "metadata": {**metadata, "name": f"{prefix}{self._uid + 1}"}}
        if (kind.plural, namespace, obj["metadata"]["name"]) in self.objects:
            raise AlreadyExists(f"{kind.kind} {obj['metadata']['name']} exists")
        return self._write(f"create {kind.kind}", lambda: self.put(kind, obj))

    async def apply(
        self, kind: Kind, namespace: str, obj: Object, *, subresource: str = ""
    ) -> Object:
        self._served(kind)
        name = (kind.plural, namespace, obj["metadata"]["name"])
        if subresource and name not in self.objects:
            raise NotFound(f"no {kind.kind} {name}")

        version = obj["metadata"].get("resourceVersion")
        current = self.objects.get(name, {}).get("metadata", {}).get("resourceVersion")
        if version is not None and version != current:
            raise Conflict("the object has been modified, or is no more")

        def change() -> Object:
            before = self.objects.get(name, {})
            if subresource == "scale":
                spec = {**before["spec"], "replicas": obj["spec"]["replicas"]}
                return self.put(kind, {**before, "spec": spec})
            if subresource == "status":
                return self.put(kind, {**before, "status": obj["status"]})
            return self.put(kind, {**before, **obj})

        return self._write(f"apply {kind.kind} {subresource}".strip(), change)

    async def replace(self, kind: Kind, namespace: str, obj: Object) -> Object:
        metadata = obj["metadata"]
        current = self.objects.get((kind.plural, namespace, metadata["name"]), {})
        version = current.get("metadata", {}).get("resourceVersion")
        if metadata.get("resourceVersion") != version:
            raise Conflict("the object has been modified, or is no more")
        return self._write(f"replace {kind.kind}", lambda: self.put(kind, obj))

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> None:
        if (kind.plural, namespace, name) not in self.objects:
            raise NotFound(f"no {kind.kind} {name}")
        self._write(f"delete {kind.kind}", lambda: self.remove(kind, namespace, name))

    async def survey(
        self, kind: Kind, namespace: str | None, *, selector: str = "", fields: str = ""
    ) -> tuple[Objects, str]:
        listed = await self.list(kind, namespace, selector=selector)
        return [obj for obj in listed if _selected(obj, fields)], str(self._version)

    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        version: str,
        *,
        selector: str = "",
        fields: str = "",
    ) -> AsyncIterator[Object]:
        queue: asyncio.Queue[Object] = asyncio.Queue()
        self._watches.append((kind, queue))
        for obj in await self.list(kind, namespace, selector=selector):
            if int(obj["metadata"]["resourceVersion"]) > int(version):
                queue.put_nowait({"type": "MODIFIED", "object": obj})
        while True:
            event = await queue.get()
            obj, wanted = event["object"], [part.partition("=") for part in selector.split(",")]
            labelled = all(_matches(obj, *part) for part in wanted if part[0])
            here = namespace in (None, obj["metadata"].get("namespace"))
            if labelled and here and _selected(obj, fields):
                yield event

    def _served(self, kind: Kind) -> None:
        if kind.plural in self.absent:
            raise NotFound("the server could not find the requested resource")

    def _announce(self, type_: str, plural: str, obj: Object) -> None:
        for kind, queue in self._watches:
            if kind.plural == plural:
                queue.put_nowait({"type": type_, "object": deepcopy(obj)})

    def _write(self, what: str, change: Callable[[], Object]) -> Object:
        number = len(self.writes)
        self.interrupt(number, False)
        self.writes.append(what)
        result = deepcopy(change())
        self.interrupt(number, True)
        return result

    # --- what users and controllers do ------------------------------------------------------

    def of(self, kind: Kind, namespace: str | None = None) -> Sequence[Object]:
        """Objects of a kind as they are; not for changing."""
        return [
            obj
            for (plural, where, _), obj in self.objects.items()
            if plural == kind.plural and namespace in (None, where)
        ]

    def put(self, kind: Kind, obj: Object) -> Object:
        """Store an object as the API server would."""
        metadata = obj["metadata"]
        name = (kind.plural, metadata.get("namespace", ""), metadata["name"])
        before = self.objects.get(name)
        stored = deepcopy(obj)
        meta = stored["metadata"] = {**(before or {}).get("metadata", {}), **metadata}
        self._uid += before is None
        meta["uid"] = before["metadata"]["uid"] if before else f"uid-{self._uid}"
        meta.setdefault("generation", 1)
        if before and before.get("spec") != stored.get("spec"):
            meta["generation"] = before["metadata"]["generation"] + 1
        self._version += 1
        meta["resourceVersion"] = str(self._version)
        stored.setdefault("kind", kind.kind)
        self.objects[name] = stored
        self._announce("MODIFIED" if before else "ADDED", kind.plural, stored)
        return stored

    def remove(self, kind: Kind, namespace: str, name: str) -> Object:
        """Remove an object and what it owns."""
        gone = self.objects.pop((kind.plural, namespace, name))
        self._announce("DELETED", kind.plural, gone)
        uid = gone["metadata"]["uid"]
        for (plural, where, child), obj in list(self.objects.items()):
            owners = obj["metadata"].get("ownerReferences") or ()
            if any(reference["uid"] == uid for reference in owners):
                self.remove(Kind("", "", plural, plural), where, child)
        return gone

    def settle(self) -> None:
        """Let the deployment, daemon set, kubelet and endpoint slice controllers act."""
        for deployment in self.of(DEPLOYMENTS):
            self._run_pods(deployment)
        for daemon_set in self.of(DAEMON_SETS):
            self._run_daemons(daemon_set)
        for route in self.of(HTTP_ROUTES):
            self._accept(route)
        for service in self.of(SERVICES):
            if RELEASE_LABEL in service["metadata"].get("labels", {}):
                self._slice(service)

    def _accept(self, route: Object) -> None:
        observed = route["metadata"]["generation"]
        accepted = {"type": "Accepted", "status": str(self.accepts), "reason": "Because"}
        resolved = {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs"}
        conditions = [{**one, "observedGeneration": observed} for one in (accepted, resolved)]
        parents = [
            {"parentRef": parent, "controllerName": "fake", "conditions": conditions}
            for parent in route["spec"]["parentRefs"]
        ]
        if (route.get("status") or {}).get("parents") != parents:
            self.put(HTTP_ROUTES, {**route, "status": {"parents": parents}})

    def _run_pods(self, deployment: Object) -> None:
        metadata = deployment["metadata"]
        namespace, revision = metadata["namespace"], metadata["name"]
        for index in range(10):
            name = f"{revision}-{index}"
            exists = ("pods", namespace, name) in self.objects
            if index < deployment["spec"]["replicas"]:
                self._run_pod(deployment, name, index)
            elif exists:
                self.remove(PODS, namespace, name)
        generation = metadata["generation"]
        status = {
            "observedGeneration": generation,
            "availableReplicas": deployment["spec"]["replicas"],
        }
        if deployment.get("status") != status:
            self.put(DEPLOYMENTS, {**deployment, "status": status})

    def _run_daemons(self, daemon_set: Object) -> None:
        metadata = daemon_set["metadata"]
        namespace, revision = metadata["namespace"], metadata["name"]
        wanted = {f"{revision}-{node}": node for node in self.nodes_of(revision)}
        for pod in list(self.of(PODS, namespace)):
            ours = pod["metadata"]["labels"].get(REVISION_LABEL) == revision
            if ours and pod["metadata"]["name"] not in wanted:
                self.remove(PODS, namespace, pod["metadata"]["name"])
        for index, (name, node) in enumerate(wanted.items()):
            runs = self.objects.get(("pods", namespace, name), {}).get("status", {}).get("podIP")
            if node in self.full and not runs:
                self._hold_pod(daemon_set, name)
            else:
                self._run_pod(daemon_set, name, index)
        generation, nodes = metadata["generation"], len(wanted)
        status = {"observedGeneration": generation, "desiredNumberScheduled": nodes}
        if self.counted and daemon_set.get("status") != status:
            self.put(DAEMON_SETS, {**daemon_set, "status": status})

    def _hold_pod(self, daemon_set: Object, name: str) -> None:
        message = "0/2 nodes are available: 1 node(s) didn't have free ports"
        condition = {"type": "PodScheduled", "status": "False", "message": message}
        self._put_pod(daemon_set, name, {"conditions": [condition]})

    def _run_pod(self, deployment: Object, name: str, index: int) -> None:
        sick = self.sick.get(deployment["metadata"]["name"])
        container = {"name": "app", "restartCount": 0, "state": {"running": {}}, **(sick or {})}
        status = {
            "podIP": f"10.0.0.{index + 1}",
            "conditions": [{"type": "Ready", "status": "False" if sick else "True"}],
            "containerStatuses": [container],
        }
        self._put_pod(deployment, name, status)

    def _put_pod(self, workload: Object, name: str, status: Object) -> None:
        namespace = workload["metadata"]["namespace"]
        metadata = {
            "name": name,
            "namespace": namespace,
            "labels": workload["spec"]["template"]["metadata"]["labels"],
        }
        if workload["kind"] == "DaemonSet":
            uid = workload["metadata"]["uid"]
            metadata["ownerReferences"] = [{"kind": "DaemonSet", "uid": uid, "controller": True}]
        before = self.objects.get(("pods", namespace, name))
        if before is None or before["status"] != status:
            self.put(PODS, {"metadata": metadata, "spec": {}, "status": status})

    def _slice(self, service: Object) -> None:
        metadata, selector = service["metadata"], service["spec"]["selector"]
        pods = [
            pod
            for pod in self.of(PODS, metadata["namespace"])
            if all(pod["metadata"]["labels"].get(key) == text for key, text in selector.items())
        ]
        endpoints = [
            {
                "conditions": {"ready": pod["status"]["conditions"][0]["status"] == "True"},
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
            }
            for pod in pods
        ]
        body: Object = {
            "metadata": {
                "name": f"{metadata['name']}-slice",
                "namespace": metadata["namespace"],
                "labels": {
                    **metadata["labels"],
                    "kubernetes.io/service-name": metadata["name"],
                },
            },
            "endpoints": endpoints,
        }
        name = ("endpointslices", metadata["namespace"], body["metadata"]["name"])
        before = self.objects.get(name)
        if before is None or before["endpoints"] != endpoints:
            self.put(ENDPOINT_SLICES, body)

    # --- what tests ask ---------------------------------------------------------------------

    def release(self, name: str = "shop") -> Object:
        """An ImmutableRelease as it is."""
        return self.objects[(RELEASES.plural, "demo", name)]

    def serving(self, name: str = "shop") -> str | None:
        """The revision that the release's Service points at."""
        service = self.objects.get((SERVICES.plural, "demo", name))
        found = service["spec"]["selector"].get(REVISION_LABEL) if service else None
        return str(found) if found else None

    def change(self, **spec: Any) -> None:
        """Change the spec of the release, as a user does."""
        release = self.release()
        self.put(RELEASES, {**release, "spec": {**release["spec"], **spec}})


def _matches(obj: Object, key: str, equals: str, value: str) -> bool:
    labels = obj["metadata"].get("labels") or {}
    if key.startswith("!"):
        return key[1:] not in labels
    return labels.get(key) == value if equals else key in labels


def _selected(obj: Object, fields: str) -> bool:
    """By a field selector that asks for equality."""
    for part in (part for part in fields.split(",") if part):
        path, _, wanted = part.partition("=")
        found: Any = obj
        for key in path.split("."):
            found = found.get(key) or {}
        if found != wanted:
            return False
    return True
