"""`kubectl get irel,rrev -o wide` tells what happened, to somebody who reads nothing else."""

from typing import Any

from tests.api.kubectl import Kubectl
from tests.api.manifests import action, policy, release, revision

TIME = "2026-01-01T12:00:00Z"
WHY = "shop-5555555555 reverted: container shop crashes; shop-2222222222 serves; change the spec"

# Number, phase, whether verified, ready Pods, why: the five acts of a release.
ACTS = (
    (1, "Superseded", "True", 0, "shop-2222222222 took over"),
    (2, "Active", "True", 3, "serves"),
    (3, "Rejected", "False", 0, "container shop: no signature of build"),
    (4, "Failed", "True", 0, "probe api fails: status 500"),
    (5, "Failed", "True", 0, "container shop crashes"),
)


def test_the_columns_tell_the_story_of_a_release(namespace: Kubectl) -> None:
    namespace.apply(release())
    _write_status(namespace, "irel/shop", _release_status())
    for number, phase, verified, ready, why in ACTS:
        name = f"shop-{str(number) * 10}"
        image = f"registry.example.com/shop:{number}"
        namespace.apply(revision(name, spec__number=number, spec__images__0__source=image))
        _write_status(namespace, f"rrev/{name}", _revision_status(phase, verified, ready, why))

    releases, revisions = namespace("get", "irel,rrev", "-o", "wide").strip().split("\n\n")

    header, row = releases.splitlines()
    assert _words(header) == ("NAME PHASE ACTIVE CANDIDATE KNOWN-GOOD READY AGE WHY")
    assert row.split()[1:4] == ["Reverted", "shop-2222222222", "shop-1111111111"]
    assert row.endswith(WHY)
    header, *rows = revisions.splitlines()
    assert _words(header) == (
        "NAME RELEASE NO PHASE IMAGE VERIFIED READY ACTIVE-SINCE AGE WHY SIGNER DIGEST"
    )
    for row, (number, phase, verified, ready, why) in zip(rows, ACTS, strict=True):
        image = f"registry.example.com/shop:{number}"
        assert row.split()[1:7] == ["shop", str(number), phase, image, verified, str(ready)]
        assert why in row


def test_the_columns_of_an_action_tell_what_became_of_it(namespace: Kubectl) -> None:
    namespace.apply(action(spec__reason="approved"))
    status = {"phase": "Failed", "message": "nothing to promote"}
    _write_status(namespace, "ract/promote", status)
    header, row = namespace("get", "ract", "-o", "wide").splitlines()
    assert _words(header) == ("NAME RELEASE ACTION PHASE AGE MESSAGE REVISION REASON")
    assert row.split()[:4] == ["promote", "shop", "Promote", "Failed"]
    assert "nothing to promote" in row
    assert row.endswith("approved")


def test_the_columns_of_a_policy_tell_what_it_wants(kubectl: Kubectl) -> None:
    kubectl.apply(policy("test-columns", spec__match__images=["registry.example.com/**"]))
    try:
        header, row = kubectl("get", "rpol/test-columns", "-o", "wide").splitlines()
    finally:
        kubectl("delete", "rpol/test-columns")
    assert _words(header) == ("NAME MODE IMAGES AUTHORITIES QUORUM READY AGE NAMESPACES WHY")
    assert row.split()[:3] == ["test-columns", "Enforce", '["registry.example.com/**"]']


def _release_status() -> dict[str, Any]:
    return {
        "phase": "Reverted",
        "activeRevision": "shop-2222222222",
        "knownGoodRevision": "shop-1111111111",
        "readyReplicas": 3,
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "CrashLoop",
                "message": WHY,
                "lastTransitionTime": TIME,
            }
        ],
    }


def _revision_status(phase: str, verified: str, ready: int, why: str) -> dict[str, Any]:
    condition = {
        "type": "Verified",
        "status": verified,
        "reason": "Signed",
        "message": why,
        "lastTransitionTime": TIME,
    }
    return {"phase": phase, "message": why, "readyReplicas": ready, "conditions": [condition]}


def _words(header: str) -> str:
    return " ".join(header.split())


def _write_status(kubectl: Kubectl, target: str, status: dict[str, Any]) -> None:
    kubectl.patch(target, {"status": status}, "--subresource=status")
