from collections.abc import AsyncIterator

import pytest

from tests.unit.verification.scene import Scene, set_up


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with set_up() as made:
        yield made
