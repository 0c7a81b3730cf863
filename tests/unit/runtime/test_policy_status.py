"""A policy says of itself whether it can be applied, and says it once."""

import base64
import random
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from immutablerelease.runtime.client import CONFIG_MAPS, POLICIES, SECRETS, Unavailable
from immutablerelease.runtime.policy_status import PolicyStatuses
from immutablerelease.runtime.queue import WorkQueue
from immutablerelease.runtime.store import Store
from immutablerelease.runtime.trust import TrustReader
from immutablerelease.verification.verifier import Verifier
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.verification import keyless, signing
from tests.unit.verification.simulated_sigstore import trusted

NAMESPACE = "operator"
START = datetime(2026, 1, 1, tzinfo=UTC)


class Setting:
    """One policy in a cluster, the store that knows it, and what writes its status."""

    def __init__(self, verifier: Verifier) -> None:
        self.cluster = FakeCluster()
        self.store = Store()
        self.now, self.leading = START, True
        self.queue: WorkQueue[str] = WorkQueue(jitter=random.Random(0))  # noqa: S311 (not for secrets)
        self.statuses = PolicyStatuses(
            self.cluster,
            self.store,
            trust=TrustReader(self.cluster, NAMESPACE),
            judge=verifier,
            queue=self.queue,
            now=lambda: self.now,
            leading=lambda: self.leading,
        )

    async def look(self, spec: dict[str, Any] | None = None) -> dict[str, Any]:
        """Have the policy, perhaps another one by now, looked at; its condition."""
        self.write(spec)
        await self.statuses.handle("p")
        return self.condition()

    def write(self, spec: dict[str, Any] | None) -> None:
        if spec is not None:
            before = self.cluster.objects.get((POLICIES.plural, "", "p"), {})
            obj = {**before, "metadata": {"name": "p"}, "spec": spec}
            self.store.put(POLICIES, deepcopy(self.cluster.put(POLICIES, obj)))

    def condition(self) -> dict[str, Any]:
        status = self.cluster.objects[(POLICIES.plural, "", "p")].get("status")
        (condition,) = status["conditions"] if status else ({},)
        return dict(condition)

    def put_root(self, text: str) -> None:
        name, key = keyless.ROOT
        metadata = {"name": name, "namespace": NAMESPACE}
        self.cluster.put(CONFIG_MAPS, {"metadata": metadata, "data": {key: text}})

    def put_key(self, text: str) -> None:
        metadata = {"name": "keys", "namespace": NAMESPACE}
        data = {"team.pub": base64.b64encode(text.encode()).decode()}
        self.cluster.put(SECRETS, {"metadata": metadata, "data": data})


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    async with Verifier(clock=lambda: 0.0) as verifier:
        yield Setting(verifier)


def key(pem: str = "") -> dict[str, Any]:
    return {"name": "team", "key": {"pem": pem or signing.key().pem}}


def ruled(*expressions: str) -> dict[str, Any]:
    """A policy that wants a scan of which the rules hold."""
    rules = [{"expression": text, "message": "as wanted"} for text in expressions]
    scan = {"name": "scan", "predicateType": "https://example.com/scan", "rules": rules}
    return {"authorities": [key()], "attestations": [scan]}


IN_SECRET = {"name": "team", "key": {"secretRef": {"name": "keys", "key": "team.pub"}}}
KEYLESS = {"authorities": [keyless.authority()]}
PATTERN = {"issuer": keyless.ISSUER, "subjectPattern": "(a"}


@pytest.mark.parametrize(
    "spec",
    [
        {"authorities": [key()]},
        {"unsafeAllowUnsigned": True},
        {"authorities": [key()], "mode": "Audit"},
        ruled("predicate.a == 1", "predicate.b.all(x, x > now)"),
    ],
    ids=["a key", "nobody has to sign", "audit", "rules"],
)
async def test_what_can_be_applied_is_ready(setting: Setting, spec: dict[str, Any]) -> None:
    condition = await setting.look(spec)
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "Ready",
        "True",
        "Usable",
    )
    assert condition["observedGeneration"] == 1
    assert condition["lastTransitionTime"] == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("spec", "reason", "told"),
    [
        ({"authorities": [key("-----BEGIN PUBLIC KEY-----")]}, "UnusableKey", "authority team"),
        (
            {"authorities": [{"name": "a", "keyless": {"identities": [PATTERN]}}]},
            "InvalidPolicy",
            'the pattern "(a" is not one that RE2 knows',
        ),
        (ruled("true", "predicate.a =="), "InvalidPolicy", 'the rule "predicate.a =="'),
        (ruled("1 + 1"), "InvalidPolicy", "expected bool"),
        (ruled("unknown == 1"), "InvalidPolicy", "unknown"),
        ({"authorities": [key()], "quorum": 2}, "InvalidPolicy", "fewer than its quorum of 2"),
        ({"authorities": []}, "InvalidPolicy", "fewer than its quorum of 1"),
        (
            {**ruled("true"), "signature": "Ignored", "authorities": []},
            "InvalidPolicy",
            "quorum",
        ),
        (
            {
                "authorities": [key()],
                "registries": {"trustedCAs": [{"hosts": ["r.test"], "pem": "no"}]},
            },
            "InvalidPolicy",
            "trustedCAs",
        ),
        ({"authorities": 5}, "InvalidPolicy", "spec.authorities: "),
        (KEYLESS, "TrustUnavailable", "ConfigMap sigstore with the key trusted_root.json"),
        ({"authorities": [IN_SECRET]}, "TrustUnavailable", "Secret keys with the key team.pub"),
    ],
    ids=[
        "a key that is none",
        "a pattern that is none",
        "a rule that is none",
        "a rule of another type",
        "a rule with an unknown name",
        "too many signers",
        "nobody named",
        "attested by nobody",
        "a certificate that is none",
        "a field of another type",
        "no trust root",
        "no Secret",
    ],
)
async def test_what_cannot_be_applied_says_why(
    setting: Setting, spec: dict[str, Any], reason: str, told: str
) -> None:
    condition = await setting.look(spec)
    assert (condition["status"], condition["reason"]) == ("False", reason)
    assert told in condition["message"]
    assert "; " in condition["message"], "it says what to do"


async def test_what_it_waited_for_makes_it_ready(setting: Setting) -> None:
    assert (await setting.look(KEYLESS))["status"] == "False"
    setting.put_root("{}")
    assert (await setting.look())["reason"] == "UnusableTrustRoot"
    setting.put_root(trusted().root())
    setting.now += timedelta(minutes=1)
    condition = await setting.look()
    assert condition["status"] == "True"
    assert condition["lastTransitionTime"] == "2026-01-01T00:01:00.000Z"


async def test_a_private_key_is_told_of_and_not_shown(setting: Setting) -> None:
    setting.put_key("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----")
    condition = await setting.look({"authorities": [IN_SECRET]})
    assert condition["reason"] == "UnusableKey"
    assert "c2VjcmV0" not in condition["message"]


async def test_what_is_said_already_is_not_written_again(setting: Setting) -> None:
    for spec in ({"authorities": [key()]}, ruled("1 + 1"), {"authorities": 5}):
        await setting.look(spec)
        before = len(setting.cluster.writes)
        setting.now += timedelta(hours=1)
        await setting.look()
        assert len(setting.cluster.writes) == before


async def test_another_generation_is_told_of_and_the_time_stays(setting: Setting) -> None:
    await setting.look({"authorities": [key()]})
    setting.now += timedelta(hours=1)
    condition = await setting.look({"authorities": [key()], "mode": "Audit"})
    assert condition["observedGeneration"] == 2
    assert condition["lastTransitionTime"] == "2026-01-01T00:00:00.000Z"


async def test_only_the_leader_writes(setting: Setting) -> None:
    setting.leading = False
    assert await setting.look({"authorities": [key()]}) == {}


async def test_what_could_not_be_asked_is_asked_again(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object) -> None:
        raise Unavailable("no answer")

    monkeypatch.setattr(setting.cluster, "get", failing)
    assert await setting.look(KEYLESS) == {}
    assert setting.queue.failures("p") == 1
    monkeypatch.undo()
    assert (await setting.look())["reason"] == "TrustUnavailable"
    assert setting.queue.failures("p") == 0


async def test_a_policy_that_is_gone_is_let_go(setting: Setting) -> None:
    await setting.look(KEYLESS)
    setting.store.remove(POLICIES, setting.cluster.remove(POLICIES, "", "p"))
    before = len(setting.cluster.writes)
    await setting.statuses.handle("p")
    assert len(setting.cluster.writes) == before
    assert setting.queue.failures("p") == 0


async def test_a_policy_deleted_meanwhile_is_no_failure(setting: Setting) -> None:
    setting.write({"authorities": [key()]})
    setting.cluster.remove(POLICIES, "", "p")
    await setting.statuses.handle("p")
    assert setting.queue.failures("p") == 0
