"""What the operator writes is what Istio's own definitions have: nothing of it is lost."""

import json
from typing import Any

import pytest

from immutablerelease.traffic.faithful import faithful
from tests.api.kubectl import Kubectl
from tests.unit.traffic.meshes import stages

STAGES = stages()


def _written(made: dict[str, Any], namespace: Kubectl) -> dict[str, Any]:
    """As the operator applies it; without an owner, which would have to be there."""
    metadata = {key: made["metadata"][key] for key in made["metadata"] if key != "ownerReferences"}
    return {**made, "metadata": {**metadata, "namespace": namespace.namespace}}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_accepted_and_comes_back_as_it_was_written(
    mesh: Kubectl, namespace: Kubectl, stage: str
) -> None:
    made = _written(STAGES[stage], namespace)
    found = namespace.apply(made)
    assert found["spec"] == made["spec"]
    assert faithful(found, made)


def test_one_stage_after_the_other_leaves_nothing_of_the_one_before(
    mesh: Kubectl, namespace: Kubectl
) -> None:
    for made in STAGES.values():
        if made["kind"] == "VirtualService":
            written = _written(made, namespace)
            assert namespace.apply(written)["spec"] == written["spec"]


@pytest.mark.parametrize(
    "change",
    [
        {"http": [{"route": [{"destination": {"host": "evil"}}]}]},
        {"tcp": [{"route": [{"destination": {"host": "evil"}}]}]},
        {"exportTo": ["."]},
        {"gateways": ["evil"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_somebody_changed_is_seen_and_the_next_write_takes_it_back(
    mesh: Kubectl, namespace: Kubectl, change: dict[str, Any]
) -> None:
    made = _written(STAGES["a later step"], namespace)
    namespace.apply(made)
    assert not faithful(namespace.patch("virtualservice/shop", {"spec": change}), made)
    options = ("--server-side", "--force-conflicts", "--field-manager=test")
    namespace("apply", *options, "-f", "-", stdin=json.dumps(made))
    assert namespace.get("virtualservice/shop")["spec"] == made["spec"]
