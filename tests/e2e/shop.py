"""The release under test, as sentences: given it serves, when it is changed, then it is so."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from demo import manifests
from demo.kube import Kube, Object, wait_for
from demo.operator_process import OperatorProcess
from demo.records import Record, Window
from demo.releases import Found, ReleaseView, RevisionView
from demo.traffic import Traffic

RATE = 100.0
# What one test waits for one thing; far more than it takes, far less than a hang.
PATIENCE = 60.0


class Users:
    """Users of the release during one test."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def so_far(self) -> Window:
        """Everything they got until now."""
        return self._traffic.window(self._traffic.began)

    def share(self, version: str, requests: int) -> float:
        """Share of so many requests from now on that a version answered."""
        began = time.time()

        def look() -> tuple[list[Record] | None, str]:
            found = self._traffic.since(began)
            return (found if len(found) >= requests else None), f"{len(found)} answers"

        records = wait_for(f"{requests} answers", look, PATIENCE)
        return sum(record.version == version for record in records) / len(records)

    def await_failure(self, seconds: float = 30.0) -> None:
        """Wait until one of them is failed."""
        self._traffic.await_failure(self._traffic.began, seconds)

    def await_calm(self, version: str, calm: float = 1.5, seconds: float = 20.0) -> None:
        """Wait until for a while all of them got answers, all by one version."""
        self._traffic.await_calm(version, calm, seconds)


class Shop:
    """An ImmutableRelease of the app in a namespace of its own; settings carry over."""

    def __init__(
        self,
        kube: Kube,
        operator: OperatorProcess,
        namespace: str,
        image: str,
        scratch: Path,
        exits: ExitStack,
    ) -> None:
        self.kube = kube
        self.operator = operator
        self.namespace = namespace
        self.release = ReleaseView(kube, namespace, "shop")
        self.settings: dict[str, Any] = {
            "replicas": 2,
            "health": health(),
            "keepWarm": "2m",
        }
        self._image = image
        self._scratch = scratch
        self._exits = exits

    def given_serving(
        self, version: str, env: Mapping[str, str] | None = None, **settings: Any
    ) -> RevisionView:
        """A version that serves and counts as good."""
        revision = self.when_applied(version, env, **settings)
        self.then_serves(revision)
        return self.release.await_good(revision.name)

    def at_the_end(self, end: Callable[[], object]) -> None:
        """Do something when the test is over."""
        self._exits.callback(end)

    def given_users(self) -> Users:
        """Users who come all the time from now to the end of the test."""
        traffic = Traffic(self.release.address(), self._scratch, rate=RATE)
        self._exits.callback(traffic.stop)
        traffic.await_answers()
        return Users(traffic)

    def manifest(
        self, version: str, env: Mapping[str, str] | None = None, image: str | None = None
    ) -> Object:
        """The manifest as it would be applied."""
        settings = {"VERSION": version, "DRAIN": "0.5", **(env or {})}
        template = manifests.template(image or self._image, settings)
        return manifests.release("shop", self.namespace, template, **self.settings)

    def when_applied(
        self,
        version: str,
        env: Mapping[str, str] | None = None,
        image: str | None = None,
        **settings: Any,
    ) -> RevisionView:
        """Apply a version and see its revision recorded."""
        self.settings.update(settings)
        self.kube.apply(self.manifest(version, env, image))
        return self.await_version(version)

    def when_asked(self, action: str, revision: str | None = None) -> Object:
        """Create a ReleaseAction and wait for its answer: the status with which it ended."""
        return self.answer_to(self.ask(action, revision))

    def ask(self, action: str, revision: str | None = None) -> str:
        """Create a ReleaseAction; its name."""
        reason = f"the test asked for {action}"
        manifest = manifests.action("shop", self.namespace, action, revision, reason)
        return str(self.kube.create(manifest)["metadata"]["name"])

    def answer_to(self, name: str) -> Object:
        """The status with which a ReleaseAction ended."""

        def look() -> tuple[Object | None, str]:
            found = self.kube.get("ReleaseAction", name, self.namespace)
            status = found.get("status") or {}
            ended = status.get("phase") in ("Succeeded", "Failed")
            return (status if ended else None), f"{status or 'no answer'}"

        return wait_for(f"an answer to {name}", look, PATIENCE)

    def then_serves(self, revision: RevisionView | str) -> RevisionView:
        """It gets all traffic."""
        name = revision if isinstance(revision, str) else revision.name
        return self.release.await_active(name, PATIENCE)

    def then_fails(self, revision: RevisionView, reason: str) -> RevisionView:
        """It is Failed, for this reason."""
        failed = self.release.await_phase(revision.name, "Failed", PATIENCE)
        found = failed.raw["status"]["failure"]["reason"]
        assert found == reason, f"{revision.name} failed for {found}: {failed.message}"
        return failed

    def then(
        self, expected: str, holds: Callable[[], Found | None], seconds: float = 30.0
    ) -> Found:
        """Something comes true."""
        return self.release.await_that(expected, holds, seconds)

    def then_phase(self, phase: str) -> None:
        """The release's phase, and its conditions agree with it as kstatus wants."""
        self.then(f"phase {phase}", lambda: self.release.status().get("phase") == phase or None)
        stalled = self.release.condition("Stalled").get("status") == "True"
        assert stalled == (phase in ("Rejected", "Reverted", "Failed"))

    def await_version(self, version: str) -> RevisionView:
        """The newest revision of a version."""

        def look() -> RevisionView | None:
            return next(
                (
                    item
                    for item in reversed(self.release.revisions())
                    if version_of(item) == version
                ),
                None,
            )

        return self.release.await_that(f"a revision of version {version}", look, PATIENCE)

    def replicas_of(self, revision: RevisionView) -> int | None:
        """Pods that a revision's Deployment wants; None when there is no Deployment."""
        found = self.kube.find("Deployment", revision.name, self.namespace)
        return None if found is None else int(found["spec"]["replicas"])

    def event(self, reason: str) -> str:
        """The message of an Event that comes."""
        return self.then(
            f"an Event {reason}", lambda: next(iter(self.release.events(reason)), None)
        )


def health(**fields: Any) -> Object:
    """`spec.health` for tests: a short bake."""
    return {"progressDeadline": "60s", "bake": "1s", "probes": [manifests.probe()], **fields}


def version_of(revision: RevisionView) -> str:
    """The version that a revision's template names."""
    env = revision.raw["spec"]["template"]["spec"]["containers"][0].get("env", [])
    return next((item["value"] for item in env if item["name"] == "VERSION"), "")
