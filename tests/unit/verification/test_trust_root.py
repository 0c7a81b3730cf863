"""Trust roots as tools write them are read; what is wrong with one is said where it is."""

import json
from typing import Any

import pytest

from immutablerelease.verification.errors import UnusableTrustRoot
from immutablerelease.verification.trust_root import parse_trust_root
from tests.unit.verification import keyless
from tests.unit.verification.scene import Scene, set_up
from tests.unit.verification.simulated_sigstore import trusted


def _root(kind: str, subject: Any) -> dict[str, Any]:
    root: dict[str, Any] = json.loads(trusted().root())
    for authority in root[kind]:
        if subject is None:
            del authority["subject"]
        else:
            authority["subject"] = subject
    return root


@pytest.mark.parametrize("kind", ["certificateAuthorities", "timestampAuthorities"])
@pytest.mark.parametrize(
    "subject",
    [{"commonName": "ca"}, {"organization": "shop"}, {}, None],
    ids=["no organization", "no common name", "no names", "no subject"],
)
async def test_authorities_need_no_names(kind: str, subject: dict[str, str] | None) -> None:
    text = json.dumps(_root(kind, subject))
    async with set_up() as scene:
        await _verified(scene, text)


async def _verified(scene: Scene, root: str) -> None:
    keyless.attach(scene, keyless.Keyless())
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert verdict.verdict == "Verified", verdict.message


def _with(kind: str, items: Any) -> str:
    return json.dumps({**json.loads(trusted().root()), kind: items})


def _without(kind: str, member: str) -> str:
    root = json.loads(trusted().root())
    del root[kind][0][member]
    return json.dumps(root)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("[]", "not"),
        (_without("tlogs", "logId"), "tlogs.0.logId: Field required"),
        (_without("ctlogs", "publicKey"), "ctlogs.0.publicKey: Field required"),
        (json.dumps(_root("timestampAuthorities", 5)), "timestampAuthorities.0.subject: "),
        ('{"tlogs": [], "tlogs": []}', "names the same member twice"),
        ('{"tlogs": ' + "[" * 40 + "]" * 40 + "}", "nested deeper"),
        (_with("certificateAuthorities", [5]), "certificateAuthorities.0: "),
    ],
    ids=[
        "nothing",
        "a list",
        "a log without an id",
        "a log without a key",
        "a subject that is none",
        "a member twice",
        "a deep nest",
        "an authority that is none",
    ],
)
def test_what_is_wrong_is_said_where_it_is(text: str, told: str) -> None:
    with pytest.raises(UnusableTrustRoot, match="the trust root cannot be read: ") as caught:
        parse_trust_root(text.encode())
    assert told in str(caught.value)
