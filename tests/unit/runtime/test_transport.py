"""kopf is told to watch, and to leave every object as it is."""

import copy
from typing import Any

import kopf
import pytest

from immutablerelease.runtime.transport import Forgetful, settings


class Uncopied(dict[str, Any]):
    """Content that is too large to be copied with every event."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        raise AssertionError("copied")


@pytest.fixture
def body() -> kopf.Body:
    metadata = {"name": "shop", "annotations": {"kopf.zalando.org/last-handled": "{}"}}
    content: Any = {"metadata": metadata, "spec": Uncopied(template={})}
    return kopf.Body(content)


def test_no_object_is_copied_to_be_compared_with_what_it_was(body: kopf.Body) -> None:
    kept = settings({}, namespaced=False).persistence
    with pytest.raises(AssertionError, match="copied"):
        copy.deepcopy(dict(body))
    essence = kept.diffbase_storage.build(body=body)
    assert kept.progress_storage.clear(essence=essence) == kopf.BodyEssence()
    assert kept.diffbase_storage.fetch(body=body) is None


def test_nothing_is_written_to_an_object(body: kopf.Body) -> None:
    kept = settings({}, namespaced=False).persistence
    key, patch = kopf.HandlerId("pods"), kopf.Patch(body=body)
    kept.diffbase_storage.store(body=body, patch=patch, essence=kopf.BodyEssence())
    kept.progress_storage.store(key=key, record={"retries": 1}, body=body, patch=patch)
    kept.progress_storage.touch(body=body, patch=patch, value="now")
    kept.progress_storage.purge(key=key, body=body, patch=patch)
    assert dict(patch) == {}
    assert patch.fns == []


async def test_nothing_is_kept_of_an_object_between_its_events() -> None:
    memories = Forgetful()
    pod: Any = {"metadata": {"name": "shop-1", "uid": "uid-1"}}
    first = await memories.recall(pod, noticed_by_listing=True, memobase=kopf.Memo())
    assert await memories.recall(pod, memobase=kopf.Memo()) is not first
    assert list(memories.iter_all_memories()) == []
