"""Jobs of probes: each runs once for an attempt, decides, and is no Pod that serves."""

from typing import Any

import pytest

from immutablerelease.api.meta import JOB_LABEL, RELEASE_LABEL
from immutablerelease.runtime.client import ACTIONS, JOBS, PODS, RELEASES

from .fake_cluster import FakeCluster
from .harness import KEY, Instant, Operator, manifest


def job(name: str = "smoke", **fields: Any) -> dict[str, Any]:
    container = {"name": "test", "image": "registry.test/test:v1"}
    return {"name": name, "job": {"template": {"spec": {"containers": [container]}}, **fields}}


AFTER = job("orders", when="AfterPromotion")


class Play:
    """A release with a job, and what becomes of the job."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.operator = Operator(self.cluster, Instant())

    def release(self, *probes: dict[str, Any], version: str = "v1", **health: Any) -> None:
        made = manifest(version, health={"bake": "1h", "probes": list(probes), **health})
        if (RELEASES.plural, "demo", "shop") in self.cluster.objects:
            self.cluster.change(**made["spec"])
        else:
            self.cluster.put(RELEASES, made)

    def jobs(self) -> list[str]:
        return sorted(obj["metadata"]["name"] for obj in self.cluster.of(JOBS))

    def end(self, name: str, condition: str, **how: Any) -> None:
        """End a Job as its controller does."""
        live = self.cluster.objects[(JOBS.plural, "demo", name)]
        at = self.operator.outside.now.isoformat()
        told = {"type": condition, "status": "True", "lastTransitionTime": at, **how}
        self.cluster.put(JOBS, {**live, "status": {"conditions": [told]}})

    def say(self, name: str, words: str) -> None:
        """A Pod of a Job that ended with a message."""
        ended = {"exitCode": 3, "message": words}
        self.cluster.put(
            PODS,
            {
                "metadata": {
                    "name": f"{name}-x",
                    "namespace": "demo",
                    "labels": {"batch.kubernetes.io/job-name": name},
                },
                "status": {
                    "phase": "Failed",
                    "containerStatuses": [{"name": "test", "state": {"terminated": ended}}],
                },
            },
        )

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.cluster.objects[("releaserevisions", "demo", name)]["status"]
        return status

    def newest(self) -> str:
        revisions = [
            obj
            for (plural, _, _), obj in self.cluster.objects.items()
            if plural == "releaserevisions"
        ]
        return str(max(revisions, key=lambda obj: obj["spec"]["number"])["metadata"]["name"])


@pytest.fixture
def play() -> Play:
    return Play()


async def test_nothing_is_promoted_before_its_job_completed(play: Play) -> None:
    play.release(job())
    await play.operator.run(20)
    name = play.newest()
    assert play.jobs() == [f"{name}-smoke-0"]
    assert play.cluster.serving() is None
    assert play.status(name)["phase"] == "Testing"
    play.end(f"{name}-smoke-0", "Complete")
    await play.operator.run(5)
    assert play.cluster.serving() == name
    assert play.jobs() == [f"{name}-smoke-0"]


async def test_what_a_job_said_last_is_why_the_revision_failed(play: Play) -> None:
    play.release(job())
    await play.operator.run(5)
    name = play.newest()
    play.say(f"{name}-smoke-0", "orders cannot\nbe placed")
    play.end(f"{name}-smoke-0", "Failed", reason="BackoffLimitExceeded", message="limit")
    await play.operator.run(5)
    assert play.status(name)["phase"] == "Failed"
    assert play.status(name)["failure"]["message"] == (
        f"probe smoke fails: Job {name}-smoke-0 failed: "
        "container test ended with exit code 3: orders cannot be placed"
    )
    play.operator.restart()
    await play.operator.run(5)
    assert play.jobs() == [f"{name}-smoke-0"]


async def test_a_job_that_takes_too_long_fails_the_revision(play: Play) -> None:
    play.release(job(timeout="1m"))
    await play.operator.run(5)
    name = play.newest()
    live = play.cluster.objects[(JOBS.plural, "demo", f"{name}-smoke-0")]
    assert live["spec"]["activeDeadlineSeconds"] == 60
    play.end(f"{name}-smoke-0", "Failed", reason="DeadlineExceeded", message="late")
    await play.operator.run(5)
    assert play.status(name)["failure"]["message"].endswith("was not done in time")


async def test_the_deadline_ends_the_wait_for_a_job_that_never_ends(play: Play) -> None:
    play.release(job(), progressDeadline="30s")
    await play.operator.run(40)
    failure = play.status(play.newest())["failure"]
    assert failure["reason"] == "DeadlineExceeded"
    assert "smoke (Job" in failure["message"]


async def test_a_retry_is_an_attempt_with_a_job_of_its_own(play: Play) -> None:
    play.release(job())
    await play.operator.run(5)
    name = play.newest()
    play.end(f"{name}-smoke-0", "Failed", reason="BackoffLimitExceeded")
    await play.operator.run(5)
    spec = {"release": KEY.name, "action": "Retry", "reason": "flaky"}
    play.cluster.put(ACTIONS, {"metadata": {"name": "again", "namespace": "demo"}, "spec": spec})
    await play.operator.run(10)
    assert play.jobs() == [f"{name}-smoke-0", f"{name}-smoke-1"]
    assert play.status(name)["phase"] == "Testing"
    play.end(f"{name}-smoke-1", "Complete")
    await play.operator.run(5)
    assert play.cluster.serving() == name


async def test_a_job_after_the_promotion_reverts_when_it_fails(play: Play) -> None:
    play.release(AFTER)
    await play.operator.run(10)
    old = play.newest()
    assert play.cluster.serving() == old
    play.end(f"{old}-orders-0", "Complete")
    play.release(AFTER, version="v2")
    await play.operator.run(10)
    new = play.newest()
    assert play.cluster.serving() == new
    assert play.jobs() == sorted([f"{old}-orders-0", f"{new}-orders-0"])
    play.end(f"{new}-orders-0", "Failed", reason="BackoffLimitExceeded", message="limit")
    await play.operator.run(5)
    assert play.cluster.serving() == old
    assert play.status(new)["phase"] == "Failed"
    await play.operator.run(60, step=5)
    assert play.cluster.serving() == old
    assert play.jobs() == sorted([f"{old}-orders-0", f"{new}-orders-0"])


async def test_the_pod_of_a_job_is_nothing_that_a_service_selects(play: Play) -> None:
    play.release(job())
    await play.operator.run(5)
    name = play.newest()
    live = play.cluster.objects[(JOBS.plural, "demo", f"{name}-smoke-0")]
    pod = live["spec"]["template"]
    assert RELEASE_LABEL not in pod["metadata"]["labels"]
    assert pod["metadata"]["labels"][JOB_LABEL] == name
    told = {item["name"]: item["value"] for item in pod["spec"]["containers"][0]["env"]}
    assert told == {
        "IMMUTABLE_RELEASE": "shop",
        "IMMUTABLE_REVISION": name,
        "IMMUTABLE_ADDRESS": f"{name}.demo.svc",
    }
    assert pod["spec"]["restartPolicy"] == "Never"


async def test_another_test_is_another_revision_and_another_moment_is_not(play: Play) -> None:
    play.release(job())
    await play.operator.run(5)
    name = play.newest()
    play.release(job(when="BeforePromotion", timeout="90s"))
    await play.operator.run(5)
    assert play.newest() == name
    other = job()
    other["job"]["template"]["spec"]["containers"][0]["args"] = ["--all"]
    play.release(other)
    await play.operator.run(5)
    assert play.newest() != name
    assert play.status(play.newest())["probes"][0]["job"] == {
        "when": "BeforePromotion",
        "timeout": "5m",
    }


async def test_a_job_of_somebody_else_decides_nothing(play: Play) -> None:
    play.release(job())
    await play.operator.run(5)
    name = play.newest()
    live = play.cluster.objects[(JOBS.plural, "demo", f"{name}-smoke-0")]
    labels = {
        key: value
        for key, value in live["metadata"]["labels"].items()
        if key != "app.kubernetes.io/managed-by"
    }
    play.cluster.put(JOBS, {**live, "metadata": {**live["metadata"], "labels": labels}})
    play.end(f"{name}-smoke-0", "Complete")
    await play.operator.run(5)
    assert play.cluster.serving() is None
