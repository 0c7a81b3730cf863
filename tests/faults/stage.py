"""Releases on fake nodes, many at a time: what is applied, and what can be seen of all of them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from demo import manifests
from demo.kube import Kube, Object
from demo.manifests import REVISION_LABEL
from tests.faults.fake_pods import PORT, FakePods, question

NAME: Final = "shop"
PREFIX: Final = "faults-"
IMAGE: Final = "registry.example.com/shop@sha256:" + "ab" * 32
_VERSION: Final = "version"
_SICK: Final = "sick"


class Sick(Enum):
    """When a version falls sick: what it serves decides, and no time."""

    NEVER = "never"
    WITH_A_SHARE = "with-a-share"
    WITH_ALL = "with-all"


def manifest(
    namespace: str, version: str, strategy: Object, *, sick: Sick, bake: str = "1s"
) -> Object:
    """A release whose versions differ in labels."""
    labels = {_VERSION: version, _SICK: sick.value}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": IMAGE,
                    "ports": [{"name": "http", "containerPort": PORT}],
                    "resources": {"requests": {"cpu": "1m"}},
                }
            ],
            "terminationGracePeriodSeconds": 0,
        },
    }
    return manifests.release(
        NAME,
        namespace,
        template,
        replicas=1,
        strategy=strategy,
        health={
            # Longer than many releases are cut off for.
            "progressDeadline": "10m",
            "bake": bake,
            "probes": [
                {
                    **manifests.probe("3s", threshold=2),
                    # Who is slow because the machine has too much to do is not sick.
                    "timeout": "3s",
                    # Addresses pass from one Pod to another before the test knows.
                    "http": {"path": question(namespace, version), "port": "http"},
                }
            ],
        },
        keepWarm="1s",
    )


@dataclass
class Sight:
    """All that is seen of one release at one moment, by version and not by name."""

    release: Object | None = None
    revisions: dict[str, Object] = field(default_factory=dict)
    deployments: dict[str, Object] = field(default_factory=dict)
    services: dict[str, Object] = field(default_factory=dict)
    pods: list[Object] = field(default_factory=list)

    @property
    def status(self) -> Mapping[str, Any]:
        """The release's own."""
        return (self.release or {}).get("status") or {}

    def version(self, revision: str | None) -> str | None:
        """What a revision runs."""
        found = self.revisions.get(revision or "")
        labels = found["spec"]["template"]["metadata"]["labels"] if found else {}
        return labels.get(_VERSION)

    def named(self, version: str) -> str | None:
        """The revision that runs a version."""
        return next((name for name in self.revisions if self.version(name) == version), None)

    @property
    def selected(self) -> str | None:
        """The revision that the Service of the release selects."""
        return self._selector.get(REVISION_LABEL)

    @property
    def shared(self) -> bool:
        """Whether it selects the Pods of all revisions."""
        return bool(self._selector) and self.selected is None

    @property
    def _selector(self) -> Mapping[str, str]:
        service = self.services.get(NAME) or {}
        return service.get("spec", {}).get("selector") or {}

    def falling_sick(self) -> Iterator[str]:
        """Versions that have as much of the traffic as makes them sick."""
        for name, found in self.revisions.items():
            labels = found["spec"]["template"]["metadata"]["labels"]
            whole = self.selected == name
            if (whole and labels[_SICK] == Sick.WITH_ALL.value) or (
                (whole or self.shared) and labels[_SICK] == Sick.WITH_A_SHARE.value
            ):
                yield labels[_VERSION]

    def of(self, version: str) -> Mapping[str, Any]:
        """Status of the revision that runs a version."""
        found = self.revisions.get(self.named(version) or "") or {}
        return found.get("status") or {}

    def good(self, version: str) -> bool:
        """Whether that version serves and counts as good."""
        return (
            self.of(version).get("phase") == "Active"
            and self.of(version).get("goodSince") is not None
            and self.version(self.status.get("activeRevision")) == version
            and self.version(self.selected) == version
        )

    def sizes(self) -> dict[str | None, int]:
        """Pods that each version's Deployment wants."""
        return {
            self.version(name): found["spec"]["replicas"]
            for name, found in self.deployments.items()
        }

    def running(self) -> Counter[str | None]:
        """Pods that there are of each version."""
        return Counter(self.version(pod["metadata"]["labels"][REVISION_LABEL]) for pod in self.pods)

    def end(self) -> dict[str, Any]:
        """What must be the same whatever went wrong on the way; no times and no names."""
        conditions = self.status.get("conditions", ())
        return {
            "phase": self.status.get("phase"),
            "active": self.version(self.status.get("activeRevision")),
            "selected": self.version(self.selected),
            "traffic": [
                (self.version(share["revision"]), share["weight"])
                for share in self.status.get("traffic", ())
            ],
            "conditions": sorted((c["type"], c["status"], c["reason"]) for c in conditions),
            "revisions": {
                self.version(name): (
                    found["spec"]["number"],
                    found.get("status", {}).get("phase"),
                    found.get("status", {}).get("goodSince") is not None,
                    (found.get("status", {}).get("failure") or {}).get("reason"),
                )
                for name, found in self.revisions.items()
            },
            "sizes": self.sizes(),
            "services": sorted(str(self.version(name)) for name in self.services),
            "pods": self.running(),
        }


class Stage:
    """All releases of the test, seen at once."""

    def __init__(self, kube: Kube, pods: FakePods) -> None:
        self._kube = kube
        self._pods = pods

    def look(self) -> dict[str, Sight]:
        """Every release by namespace; versions whose time has come fall sick, and stay so."""
        sights: dict[str, Sight] = {}

        def of(item: Object) -> Sight | None:
            namespace = item["metadata"]["namespace"]
            ours = namespace.startswith(PREFIX)
            return sights.setdefault(namespace, Sight()) if ours else None

        for item in self._kube.list("ReleaseRevision"):
            if sight := of(item):
                sight.revisions[item["metadata"]["name"]] = item
        for item in self._kube.list("Deployment"):
            if sight := of(item):
                sight.deployments[item["metadata"]["name"]] = item
        for item in self._kube.list("Service"):
            if sight := of(item):
                sight.services[item["metadata"]["name"]] = item
        for item in self._kube.list("ImmutableRelease"):
            if sight := of(item):
                sight.release = item
        for item in self._kube.list("Pod"):
            if (sight := of(item)) and "deletionTimestamp" not in item["metadata"]:
                sight.pods.append(item)
        self._pods.sick |= {
            question(namespace, version)
            for namespace, sight in sights.items()
            for version in sight.falling_sick()
        }
        return sights
