"""Each reason not to start is one sentence that says what was found and what to do."""

import dataclasses
import socket
from pathlib import Path

import pytest

from devcluster import preflight
from devcluster.errors import TakenError, UnsupportedMachineError

GIB = 1024**3
GOOD = preflight.Facts(
    system="Linux",
    user_id=0,
    free_for_state=50 * GIB,
    free_for_cache=50 * GIB,
    state_home=Path("/state"),
    cache_home=Path("/cache"),
)


def test_a_good_machine_is_accepted() -> None:
    preflight.require_machine(GOOD)
    preflight.require_room(GOOD, building=True)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param(
            dataclasses.replace(GOOD, system="Darwin"),
            "needs Linux and this is Darwin",
            id="not Linux",
        ),
        pytest.param(
            dataclasses.replace(GOOD, user_id=1000),
            "needs root.*you are user 1000.*sudo",
            id="not root",
        ),
    ],
)
def test_an_unfit_machine_is_refused(facts: preflight.Facts, said: str) -> None:
    with pytest.raises(UnsupportedMachineError, match=said) as raised:
        preflight.require_machine(facts)
    assert "CLUSTER=kind" in str(raised.value)
    assert_one_sentence(raised.value)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param(
            dataclasses.replace(GOOD, free_for_state=GIB // 2),
            r"/state has 0\.5 GiB free and \d\.0 GiB are needed.*XDG_STATE_HOME",
            id="no room for the cluster",
        ),
        pytest.param(
            dataclasses.replace(GOOD, free_for_cache=3 * GIB),
            r"/cache has 3\.0 GiB free and \d\.0 GiB are needed.*XDG_CACHE_HOME",
            id="no room for building the tools",
        ),
    ],
)
def test_a_full_disk_is_refused(facts: preflight.Facts, said: str) -> None:
    with pytest.raises(UnsupportedMachineError, match=said) as raised:
        preflight.require_room(facts, building=True)
    assert_one_sentence(raised.value)


def test_room_for_building_is_not_asked_for_when_all_tools_are_there() -> None:
    preflight.require_room(dataclasses.replace(GOOD, free_for_cache=0), building=False)


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(TakenError, match=f"Port {port} of 127.0.0.1 here is taken") as raised:
            preflight.require_free_port("127.0.0.1", port, "here")
    assert_one_sentence(raised.value)
    preflight.require_free_port("127.0.0.1", port, "here")


def test_the_facts_of_this_machine_are_read_even_where_the_folders_are_not_made_yet(
    tmp_path: Path,
) -> None:
    facts = preflight.gather(tmp_path / "a" / "b", tmp_path)
    assert facts.free_for_state > 0
    assert facts.system


def assert_one_sentence(error: Exception) -> None:
    text = str(error)
    assert "\n" not in text
    assert text.endswith(".")
    assert ". " not in text
