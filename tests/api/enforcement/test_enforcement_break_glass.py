"""Whoever breaks the glass passes every policy, and the audit log says who, where and past what."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from devcluster import Cluster
from tests.api.enforcement.attempts import ON_A_RELEASE, ON_ALL_ELSE, Attempt
from tests.api.enforcement.people import MASTER, breaker
from tests.api.enforcement.stage import REVISION, Stage
from tests.api.kubectl import Refused


@pytest.mark.parametrize(
    "attempt",
    [one for one in (*ON_A_RELEASE, *ON_ALL_ELSE) if one.dry_run and not one.who],
    ids=str,
)
def test_whoever_breaks_the_glass_passes_and_is_written_down(
    stage_of_all: Stage, attempt: Attempt
) -> None:
    name = f"breaker-{secrets.token_hex(4)}"
    try:
        attempt.run(stage_of_all.kubectl, stage_of_all.names, breaker(name))
    except Refused as refused:
        # A Pod that is placed is placed only once: that is said by the API server itself.
        assert "already assigned" in str(refused)
    key = f"{attempt.policy}.immutablerelease.io/break-glass"
    said = _await_annotation(name, key)
    assert said.startswith(f"{name} broke the glass. Otherwise refused: ")


def test_exec_under_broken_glass_is_written_down(stage: Stage) -> None:
    """Fake nodes run no command; that it gets as far as the node is what counts."""
    name = f"breaker-{secrets.token_hex(4)}"
    attempt = Attempt("6", "", "connect", "exec $pod -- true", dry_run=False)
    with pytest.raises(Refused) as failed:
        attempt.run(stage.kubectl, stage.names, breaker(name))
    assert "ValidatingAdmissionPolicy" not in str(failed.value)
    assert "pods/exec" in _await_annotation(name, "connect.immutablerelease.io/break-glass")


def test_what_is_permitted_anyhow_is_no_breaking_of_glass(stage: Stage) -> None:
    name = f"breaker-{secrets.token_hex(4)}"
    label = ("label", f"pod/{stage.pod}", "team=shop", "--overwrite", "--dry-run=server")
    stage.kubectl(*label, *breaker(name))
    event = _await_event(name, "patch")
    assert [key for key in event.get("annotations", {}) if key.endswith("/break-glass")] == []


def test_a_refusal_is_written_down_too(stage: Stage) -> None:
    name = f"admin-{secrets.token_hex(4)}"
    who = (f"--as={name}", *MASTER[1:])
    with pytest.raises(Refused):
        stage.kubectl("delete", f"deployment/{REVISION}", "--dry-run=server", *who)
    event = _await_event(name, "delete")
    failures = event["annotations"]["validation.policy.admission.k8s.io/validation_failure"]
    assert "deployments.immutablerelease.io" in failures


def _await_annotation(user: str, key: str) -> str:
    """The annotation with that key on any request of the user."""
    for events in _looks():
        for event in events:
            if _user(event) == user and key in event.get("annotations", {}):
                return str(event["annotations"][key])
    raise AssertionError(f"no request of {user} has the annotation {key} in the audit log")


def _await_event(user: str, verb: str) -> dict[str, Any]:
    for events in _looks():
        for event in events:
            if _user(event) == user and event["verb"] == verb:
                return event
    raise AssertionError(f"the audit log has no {verb} of {user}")


def _looks() -> Iterator[list[dict[str, Any]]]:
    """The newest events of the audit log, again and again: they come just after the answer."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with Cluster.load().audit_log.open() as log:
            log.seek(max(0, log.seek(0, 2) - 1_000_000))
            lines = log.read().splitlines()[1:]
        yield [json.loads(line) for line in lines if line.endswith("}")]


def _user(event: dict[str, Any]) -> str:
    return str(event.get("impersonatedUser", {}).get("username", ""))
