"""The bench judges by what users felt, and says what it did not measure by leaving it out."""

import json
from pathlib import Path

import pytest

from bench.report import judged, table, verdicts, write
from bench.scenes import DIES, FAILS, KEPT, NEW, Measured

OURS, ARGO = "ours", "argo"


def measured(
    scene: str = FAILS.name,
    system: str = OURS,
    seconds: float | None = 2.5,
    users: str = NEW,
    verdict: float | None = None,
) -> Measured:
    return Measured(scene, system, "v1", users, seconds, 500, 250, verdict)


def kept(*rows: Measured) -> dict[str, bool]:
    return {verdict.budget: verdict.kept for verdict in verdicts(rows, OURS, ARGO)}


def test_all_budgets_are_judged_where_all_was_measured() -> None:
    rows = (
        measured(verdict=0.1),
        measured(system=ARGO, seconds=20.0),
        measured(scene=DIES.name, seconds=1.0),
    )
    found = kept(*rows)
    assert len(found) == 4
    assert all(found.values())


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param((measured(seconds=3.1),), id="too slow"),
        pytest.param((measured(seconds=None),), id="never"),
        pytest.param((measured(verdict=0.31),), id="slow after the verdict"),
        pytest.param((measured(verdict=None),), id="no verdict of its own"),
        pytest.param((measured(), measured(system=ARGO, seconds=10.0)), id="a quarter of Argo's"),
        pytest.param((measured(scene=DIES.name, seconds=5.1),), id="too slow where Pods die"),
    ],
)
def test_a_budget_is_missed(rows: tuple[Measured, ...]) -> None:
    assert not all(kept(*rows).values())


def test_a_peer_that_never_goes_back_counts_with_the_time_that_was_waited() -> None:
    found = verdicts([measured(), measured(system=ARGO, seconds=None)], OURS, ARGO)
    assert [one.seen for one in found if "argo" in one.budget] == ["0.04"]


def test_peers_and_kept_connections_are_shown_and_not_judged() -> None:
    rows = [measured(users=KEPT, seconds=9.0), measured(system=ARGO, seconds=None)]
    assert verdicts(rows, OURS, ARGO) == []
    shown = table(rows).splitlines()
    assert len(shown) == 3
    assert "never in 57 s" in shown[2]
    assert len({len(line) for line in shown}) == 1, "aligned to the right"


def test_a_missed_budget_is_told() -> None:
    text = judged(verdicts([measured(seconds=3.1)], OURS, ARGO))
    assert "3.10 s  MISSED" in text


def test_the_figures_say_never_by_null(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    write([measured(seconds=None)], path)
    assert json.loads(path.read_text()) == [
        {
            "scene": FAILS.name,
            "system": OURS,
            "version": "v1",
            "users": NEW,
            "revert_seconds": None,
            "requests": 500,
            "failed": 250,
        }
    ]
