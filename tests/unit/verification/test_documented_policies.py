"""The policies in docs/attestations.md can hold, and their rules say what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from immutablerelease.api.policy import Policy
from immutablerelease.verification.attestations import narrowed, predicate_types
from immutablerelease.verification.authorities import load_authorities
from immutablerelease.verification.errors import RuleBroken
from immutablerelease.verification.rules import RuleEvaluator
from immutablerelease.verification.trust import NO_TRUST

PAGE = Path(__file__).parents[3] / "docs" / "attestations.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
POLICIES = [Policy.read(yaml.safe_load(block)) for block in BLOCKS]
FRESH = "2100-01-01T00:00:00Z"


def _scan(*severities: str, at: str = FRESH) -> dict[str, Any]:
    findings = [{"severity": severity} for severity in severities]
    return {"scanner": {"result": {"findings": findings}}, "metadata": {"scanFinishedOn": at}}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.metadata.name)
def test_it_is_one_that_can_hold(policy: Policy) -> None:
    assert load_authorities(policy, NO_TRUST).members
    for wanted in policy.spec.attestations:
        assert load_authorities(narrowed(policy, wanted), NO_TRUST).members
        assert not predicate_types(wanted)("https://example.com/anything")


@pytest.mark.parametrize(
    ("name", "predicate", "holds"),
    [
        ("scan", _scan("LOW"), True),
        ("scan", _scan("LOW", "CRITICAL"), False),
        ("scan", _scan(at="2020-01-01T00:00:00Z"), False),
        ("contents", {"spdxVersion": "SPDX-2.3"}, True),
        ("contents", {"components": [{}]}, True),
        ("contents", {"components": []}, False),
    ],
)
async def test_its_rules_say_what_the_page_says(
    name: str, predicate: dict[str, Any], holds: bool
) -> None:
    (wanted,) = (
        item for policy in POLICIES for item in policy.spec.attestations if item.name == name
    )
    if holds:
        await RuleEvaluator().require(wanted.predicate_rules, predicate)
    else:
        with pytest.raises(RuleBroken):
            await RuleEvaluator().require(wanted.predicate_rules, predicate)
