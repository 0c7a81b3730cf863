"""What is the same revision, and what is another one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immutablerelease.core.identity import content_hash, revision_name

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
    assert revision_name("shop", {"spec": one}) != revision_name("shop", {"spec": other})
