"""What is the same revision, and what is another one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immutablerelease.core.identity import content_hash, job_name, revision_name

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), JSON))
def test_the_order_of_keys_and_fields_that_are_null_mean_nothing(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items())) | {"null": None}
    turned.update({key: item for key, item in value.items() if key == "null"})
    assert content_hash(turned) == content_hash(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"labelSelector": {}}, {}),
        ({"labelSelector": {}}, {"labelSelector": None}),
        ({"drop": []}, {}),
        ({"command": ["a", "b"]}, {"command": ["b", "a"]}),
        ({"port": 80}, {"port": "80"}),
        ({"value": False}, {}),
        ([None], []),
    ],
)
def test_anything_else_is_another_revision(one: Any, other: Any) -> None:
    assert revision_name("shop", {"spec": one}, {}) != revision_name("shop", {"spec": other}, {})


def test_jobs_are_part_of_a_revision_that_has_some() -> None:
    template = {"spec": {"a": 1}}
    jobs = [{}, {"smoke": {"spec": {"a": 1}}}, {"smoke": {"spec": {"a": 2}}}, {"other": template}]
    assert len({revision_name("shop", template, made) for made in jobs}) == len(jobs)


def test_the_name_of_a_job_is_one_that_a_label_holds() -> None:
    assert job_name("shop-0123456789", "smoke", 2) == "shop-0123456789-smoke-2"
    long = [job_name("s" * 52 + "-0123456789", probe, 0) for probe in ("p" * 63, "p" * 62)]
    assert max(map(len, long)) == 63
    assert long[0] != long[1]
