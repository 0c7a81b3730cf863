"""A tale of the tier of faults has ended when nothing that is seen of it is to change any more."""

from typing import Any

import pytest

from demo.kube import Object
from demo.manifests import REVISION_LABEL
from tests.faults.stage import NAME, Sight
from tests.faults.tale import TALES


def _revision(version: str, phase: str) -> Object:
    template = {"metadata": {"labels": {"version": version, "sick": "never"}}}
    status = {"phase": phase, "goodSince": "2026-01-01T00:00:00.000Z"}
    return {"spec": {"number": 1, "template": template}, "status": status}


def _sight(left: str, **changes: Any) -> Sight:
    """What is seen after v2 took over and v1 has drained; v1 is in this phase."""
    sight = Sight(
        release={"status": {"activeRevision": "second"}},
        revisions={"first": _revision("v1", left), "second": _revision("v2", "Active")},
        deployments={"first": {"spec": {"replicas": 0}}, "second": {"spec": {"replicas": 1}}},
        services={NAME: {"spec": {"selector": {REVISION_LABEL: "second"}}}},
        pods=[{"metadata": {"labels": {REVISION_LABEL: "second"}}}],
    )
    for name, value in changes.items():
        setattr(sight, name, value)
    return sight


def _ended(sight: Sight) -> bool:
    return TALES["blue-green promotion"][-1].ended(sight)


def test_it_has_ended_when_what_was_left_is_gone_and_told_so() -> None:
    assert _ended(_sight("Retired"))


@pytest.mark.parametrize(
    "sight",
    [
        pytest.param(_sight("Superseded"), id="its status was read before it was shrunk"),
        pytest.param(
            _sight(
                "Retired",
                pods=[
                    {"metadata": {"labels": {REVISION_LABEL: name}}} for name in ("first", "second")
                ],
            ),
            id="its Pods are there still",
        ),
        pytest.param(
            _sight(
                "Retired",
                deployments={name: {"spec": {"replicas": 1}} for name in ("first", "second")},
            ),
            id="it drains",
        ),
    ],
)
def test_it_has_not_ended_before(sight: Sight) -> None:
    assert not _ended(sight)
