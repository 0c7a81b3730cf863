"""The PodDisruptionBudget of a revision."""

import pytest
from pydantic import ValidationError

from immutablerelease.api.release import Disruption


@pytest.mark.parametrize("value", [1, 3, "1%", "25%", "100%"])
def test_a_number_or_a_percentage_of_pods_may_be_taken(value: int | str) -> None:
    assert Disruption.model_validate({"maxUnavailable": value}).max_unavailable == value


@pytest.mark.parametrize("value", [0, -1, "0%", "101%", "half"])
def test_a_budget_that_lets_nothing_be_taken_is_none(value: int | str) -> None:
    with pytest.raises(ValidationError):
        Disruption.model_validate({"maxUnavailable": value})
