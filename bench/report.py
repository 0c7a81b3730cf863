"""What was measured, as a table, as figures and as verdicts on the budgets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.scenes import DIES, FAILS, NEW, PATIENCE, Measured

# First failed response to the last, with a probe every second and a threshold of 3.
REVERT_SECONDS = 3.0
SHARE_OF_ARGO = 0.15
VERDICT_SECONDS = 0.3
DEATH_SECONDS = 5.0
_KEYS = ("scene", "system", "version", "users", "revert_seconds", "requests", "failed")


@dataclass(frozen=True)
class Verdict:
    """Whether a budget was kept."""

    budget: str
    seen: str
    kept: bool


def verdicts(measured: Sequence[Measured], ours: str, argo: str) -> list[Verdict]:
    """All budgets that can be judged by what was measured."""
    by = {(one.scene, one.system): one for one in measured if one.users == NEW}
    found = []
    failing, dying = by.get((FAILS.name, ours)), by.get((DIES.name, ours))
    peer = by.get((FAILS.name, argo))
    if failing:
        seconds = failing.revert_seconds
        found.append(_at_most(f"{FAILS.name}: reverted", seconds, REVERT_SECONDS))
        found.append(
            _at_most(
                "its verdict to the last failed response", failing.verdict_seconds, VERDICT_SECONDS
            )
        )
        if peer and seconds is not None:
            theirs = PATIENCE if peer.revert_seconds is None else peer.revert_seconds
            share = seconds / theirs
            budget = f"{FAILS.name}: at most {SHARE_OF_ARGO:g} of the time of {argo}"
            found.append(Verdict(budget, f"{share:.2f}", share <= SHARE_OF_ARGO))
    if dying:
        found.append(_at_most(f"{DIES.name}: reverted", dying.revert_seconds, DEATH_SECONDS))
    return found


def _at_most(what: str, seconds: float | None, limit: float) -> Verdict:
    seen = "never" if seconds is None else f"{seconds:.2f} s"
    kept = seconds is not None and seconds <= limit
    return Verdict(f"{what} within {limit:g} s", seen, kept)


def table(measured: Sequence[Measured]) -> str:
    """One line for each scene and system, aligned."""
    header = ("scene", "system", "version", "users", "revert", "requests", "failed")
    rows = [header]
    for one in measured:
        seconds = one.revert_seconds
        revert = f"never in {PATIENCE:g} s" if seconds is None else f"{seconds:.2f} s"
        counts = (str(one.requests), str(one.failed))
        rows.append((one.scene, one.system, one.version, one.users, revert, *counts))
    return _aligned(rows, right_from=4)


def judged(found: Sequence[Verdict]) -> str:
    """One line for each budget, aligned."""
    rows = [("budget", "seen", "")]
    rows += [(one.budget, one.seen, "kept" if one.kept else "MISSED") for one in found]
    return _aligned(rows, right_from=3)


def write(measured: Sequence[Measured], path: Path) -> None:
    """Write the figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{key: asdict(one)[key] for key in _KEYS} for one in measured]
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _aligned(rows: Sequence[Sequence[str]], right_from: int) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < right_from else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
