"""Every parser of a registry's bytes, fed its seeds and what a fuzzer makes of them."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.fuzz.targets import SEEDS, TARGETS

# Of each target: the whole takes half a minute.
RUNS = 20_000


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_eaten(name: str) -> None:
    seeds = list((SEEDS / name).iterdir())
    assert seeds
    for seed in seeds:
        TARGETS[name](seed.read_bytes())


@pytest.mark.parametrize("name", [name for name in TARGETS if name.startswith("signed-")])
def test_a_changed_byte_never_makes_a_signature_over_something_else(name: str) -> None:
    for seed in (SEEDS / name).iterdir():
        data = seed.read_bytes()
        for place in range(0, len(data), 97):
            TARGETS[name](data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


@pytest.mark.skipif(
    find_spec("atheris") is None, reason="atheris is not installed: pip install -e '.[fuzz]'"
)
def test_nothing_that_a_fuzzer_makes_is_more_than_refused() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--runs", str(RUNS)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
