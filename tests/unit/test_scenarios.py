"""The table of scenarios names tests that exist, for every scenario and each strategy."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Those of comparable projects; a scenario of our own may be added.
UNION = 26


def _rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return cells[2:]


ROWS = _rows()


@cache
def _tests(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / "e2e" / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_all_of_them_are_listed() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS) >= UNION


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_is_proven_on_services_by_a_test_that_exists(row: list[str]) -> None:
    _, blue_green, canary, gateway = row
    assert blue_green.startswith("`")
    assert canary == "the same" or canary.startswith("`")
    for cell in (blue_green, canary, gateway):
        if cell.startswith("`"):
            file, _, name = cell.strip("`").partition("::")
            assert name in _tests(file), f"{cell}: there is no such test"
