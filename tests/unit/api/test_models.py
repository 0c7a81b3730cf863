"""What the API server admits, the models read; what the models write, they read back."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immutablerelease.api.base import Model, format_duration, parse_duration, parse_time
from immutablerelease.api.kinds import KINDS
from immutablerelease.api.release import ReleaseSpec
from immutablerelease.api.schema import structural_schema
from tests.unit.api.strategies import documents

MODELS = [model for kind in KINDS for model in (kind.spec, kind.status)]


@cache
def _documents(model: type[Model]) -> st.SearchStrategy[Any]:
    """Made once: a large schema takes longer to read than a document to make from it."""
    return documents(structural_schema(model, defaults=True))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_document_that_the_schema_allows_is_read_and_survives_being_written(
    model: type[Model], data: st.DataObject
) -> None:
    document = data.draw(_documents(model))

    read = model.model_validate(document)

    assert model.model_validate(read.wire()) == read


@given(st.integers(min_value=0, max_value=10**12))
def test_durations_are_exact_to_the_millisecond(millis: int) -> None:
    assert parse_duration(format_duration(millis / 1000)) == millis / 1000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("2s", 2), ("1m30s", 90), ("1h30m", 5400), ("1.5h", 5400), ("0s", 0)],
)
def test_durations_are_read_as_kubernetes_writes_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5d", "5m\n", "1e3s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="must look like 500ms, 2s, 10m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(600, "10m"), (0.5, "500ms"), (5400, "1h30m"), (0, "0s"), (90, "1m30s")]
)
def test_durations_are_written_in_the_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_times_are_read_with_and_without_fractions_and_in_any_zone() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for text in ("2026-01-01T12:00:00Z", "2026-01-01T12:00:00.000Z", "2026-01-01T13:00:00+01:00"):
        assert parse_time(text) == noon


def test_a_field_that_the_models_do_not_know_is_ignored() -> None:
    """An operator that is older than its CRDs must still read what they hold."""
    minimal: dict[str, Any] = {
        "template": {"spec": {"containers": [{"name": "shop", "image": "shop:1"}]}},
        "service": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }
    assert ReleaseSpec.model_validate(minimal | {"later": True}) == ReleaseSpec.model_validate(
        minimal
    )
