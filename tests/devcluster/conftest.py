"""Clusters for the tests, under a name of their own so that nobody's work is in the way."""

import os
import platform
from collections.abc import Iterator

import pytest

from devcluster import Cluster
from devcluster.down import down
from devcluster.up import up

NAME = "iro-test"


@pytest.fixture(scope="session")
def capable() -> None:
    """Skip where no cluster can be."""
    if platform.system() != "Linux":
        pytest.skip(f"needs Linux, this is {platform.system()}")
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces and mounts")


@pytest.fixture(scope="module")
def full(capable: None) -> Iterator[Cluster]:
    """A cluster with a real node; gone at the end of the module."""
    down(NAME)
    yield up(NAME, "full")
    down(NAME)


@pytest.fixture
def api(capable: None) -> Iterator[Cluster]:
    """A cluster with fake nodes; gone at the end of the test."""
    down(NAME)
    yield up(NAME, "api", nodes=2)
    down(NAME)
