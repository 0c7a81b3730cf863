"""The release under test, as sentences: given it serves, when it is changed, then it is so."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from demo import manifests
from demo.kube import Kube, Object, wait_for
from demo.records import Record, Window
from demo.releases import Found, ReleaseView, RevisionView
from demo.traffic import Traffic

# Requests per second of users who open a connection for each of them; those who keep theirs for a
# while make half as many.
RATE = 100.0
KEPT_SECONDS = 3.0
# What one test waits for one thing; far more than it takes, far less than a hang.
PATIENCE = 60.0


class Users:
    """Users of the release during one test, some on new connections and some on kept ones."""

    def __init__(self, fresh: Traffic, kept: Traffic | None = None) -> None:
        self._fresh = fresh
        self._all = [fresh, *([kept] if kept else [])]

    def so_far(self) -> Window:
        """Everything they got until now."""
        windows = [traffic.window(traffic.began) for traffic in self._all]
        records = [record for window in windows for record in window.records]
        return Window(sorted(records, key=lambda record: record.sent))

    def on_new_connections(self) -> Window:
        """What those got who open a connection for each request: they follow every move at once."""
        return self._fresh.window(self._fresh.began)

    def share(self, version: str, requests: int) -> float:
        """Share of so many requests, on new connections from now on, that a version answered."""
        began = time.time()

        def look() -> tuple[list[Record] | None, str]:
            found = self._fresh.since(began)
            return (found if len(found) >= requests else None), f"{len(found)} answers"

        records = wait_for(f"{requests} answers", look, PATIENCE)
        return sum(record.version == version for record in records) / len(records)

    def await_answer_of(self, version: str, seconds: float = 20.0) -> None:
        """Wait until one of them, on a new connection, is answered by a version."""
        self._fresh.await_answer_of(version, seconds)

    def await_failure(self, seconds: float = PATIENCE) -> None:
        """Wait until one of them is failed."""
        self._fresh.await_failure(self._fresh.began, seconds)

    def await_failures(self, seconds: float = PATIENCE) -> None:
        """Wait until one on a new connection is failed and one on a kept connection too."""
        for traffic in self._all:
            traffic.await_failure(traffic.began, seconds)

    def await_calm(self, version: str, calm: float = 1.5, seconds: float = 20.0) -> None:
        """Wait until for a while all of them got answers, all by one version."""
        for traffic in self._all:
            traffic.await_calm(version, calm, seconds)


class Shop:
    """An ImmutableRelease of the app in a namespace of its own; settings carry over."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        image: str,
        scratch: Path,
        exits: ExitStack,
    ) -> None:
        self.kube = kube
        self.namespace = namespace
        self.release = ReleaseView(kube, namespace, "shop")
        self.settings: dict[str, Any] = {
            "replicas": 2,
            "health": health(),
            "keepWarm": "2m",
        }
        # Of the Pods.
        self.annotations: dict[str, str] = {}
        self.image = image
        self.rate = RATE
        self._scratch = scratch
        self._exits = exits
        # Those who came last.
        self.users: Users | None = None

    def given_serving(
        self, version: str, env: Mapping[str, str] | None = None, **settings: Any
    ) -> RevisionView:
        """A version that serves and counts as good."""
        revision = self.when_applied(version, env, **settings)
        self.then_serves(revision)
        return self.release.await_good(revision.name, PATIENCE)

    def at_the_end(self, end: Callable[[], object]) -> None:
        """Do something when the test is over."""
        self._exits.callback(end)

    def given_users(self) -> Users:
        """Users who come all the time from now to the end of the test."""
        return self.given_users_of(self.release.address())

    def given_users_of(self, address: str) -> Users:
        """Users who come to an address of the cluster."""
        fresh = self._crowd(address, "fresh", self.rate, 0.0)
        kept = self._crowd(address, "kept", self.rate / 2, KEPT_SECONDS)
        for traffic in (fresh, kept):
            traffic.await_answers()
        self.users = Users(fresh, kept)
        return self.users

    def _crowd(self, address: str, name: str, rate: float, keep_alive: float) -> Traffic:
        traffic = Traffic(address, self._scratch / name, rate=rate, keep_alive=keep_alive)
        self._exits.callback(traffic.stop)
        return traffic

    def manifest(
        self, version: str, env: Mapping[str, str] | None = None, image: str | None = None
    ) -> Object:
        """The manifest as it would be applied."""
        settings = {"VERSION": version, "DRAIN": "0.5", **(env or {})}
        template = manifests.template(image or self.image, settings)
        if self.annotations:
            template["metadata"] = {"annotations": self.annotations}
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

    def when_changed(
        self, version: str, env: Mapping[str, str] | None = None, **settings: Any
    ) -> None:
        """Apply a version that is there already with other settings, and see them observed."""
        self.settings.update(settings)
        generation = self.kube.apply(self.manifest(version, env))["metadata"]["generation"]

        def look() -> bool | None:
            return self.release.status().get("observedGeneration", 0) >= generation or None

        self.then(f"generation {generation} to be observed", look)

    def when_asked(self, action: str, revision: str | None = None, **more: Any) -> Object:
        """Create a ReleaseAction and wait for its answer: the status with which it ended."""
        return self.answer_to(self.ask(action, revision, **more))

    def when_told(self, action: str, revision: str | None = None, **more: Any) -> None:
        """Ask for something that can be done, and that is done."""
        answer = self.when_asked(action, revision, **more)
        assert answer["phase"] == "Succeeded", answer

    def ask(self, action: str, revision: str | None = None, **more: Any) -> str:
        """Create a ReleaseAction; its name. `more` are fields of its spec."""
        reason = f"the test asked for {action}"
        manifest = manifests.action("shop", self.namespace, action, revision, reason)
        manifest["spec"].update(more)
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
        self, expected: str, holds: Callable[[], Found | None], seconds: float = PATIENCE
    ) -> Found:
        """Something comes true."""
        return self.release.await_that(expected, holds, seconds)

    def then_phase(self, phase: str) -> None:
        """The release's phase, and its conditions agree with it as kstatus wants."""

        def look() -> Object | None:
            status = self.release.status()
            return status if status.get("phase") == phase else None

        status = self.then(f"phase {phase}", look)
        conditions = {item["type"]: item["status"] for item in status["conditions"]}
        stalled = conditions.get("Stalled") == "True"
        assert stalled == (phase in ("Rejected", "Reverted", "Failed"))

    def step_in_effect(self, candidate: RevisionView, index: int) -> Object:
        """Wait until a step of a candidate is in effect; what the status tells of it."""

        def look(release: Object) -> Object | None:
            status: Object = release.get("status") or {}
            step: Object = status.get("step") or {}
            # A newer candidate's status may still be that of the one before.
            of_it = status.get("candidateRevision") == candidate.name
            return step if of_it and step.get("index") == index and "since" in step else None

        expected = f"step {index} of {candidate.name} in effect"
        return self.release.await_seen(expected, look, PATIENCE)

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

    def event(self, reason: str, about: RevisionView | None = None) -> str:
        """The message of an Event that comes, about a revision if one is named.

        The operator publishes one after another: those that it told of before are there as well.
        """
        name = about.name if about is not None else ""

        def look() -> str | None:
            return next((told for told in self.release.events(reason) if name in told), None)

        return self.then(f"an Event {reason} {name}".rstrip(), look)


def health(**fields: Any) -> Object:
    """`spec.health` for tests: a short bake."""
    return {"progressDeadline": "60s", "bake": "1s", "probes": [manifests.probe()], **fields}


def version_of(revision: RevisionView) -> str:
    """The version that a revision's template names."""
    env = revision.raw["spec"]["template"]["spec"]["containers"][0].get("env", [])
    return next((item["value"] for item in env if item["name"] == "VERSION"), "")
