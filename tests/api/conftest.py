"""A real API server for the tests of this tier, with the CRDs in it.

It changes what the whole cluster serves, so it runs only on one that is made to be thrown away:

    python -m devcluster up --profile api
    python -m devcluster exec -- python -m pytest tests/api
"""

import ipaddress
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.api.istio import define
from tests.api.kubectl import Kubectl

ROOT = Path(__file__).parents[2]
# Where test clusters are: on this machine, or in the benchmark range of RFC 2544 (devcluster).
THROWAWAY = [ipaddress.ip_network(text) for text in ("127.0.0.0/8", "198.18.0.0/15")]


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """kubectl on a cluster that serves our CRDs, as its admin."""
    if "KUBECONFIG" not in os.environ:
        pytest.skip("needs a cluster: python -m devcluster exec -- python -m pytest tests/api")
    kubectl = Kubectl()
    server = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    if not _made_to_be_thrown_away(server):
        pytest.skip(f"{server} does not look like a test cluster: these tests change its CRDs")
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(ROOT / "crds"))
    return kubectl


@pytest.fixture(scope="session")
def mesh(kubectl: Kubectl) -> Kubectl:
    """kubectl on a cluster that has the kinds of Istio too."""
    define(kubectl)
    return kubectl


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own, which is deleted after it."""
    name = f"test-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    yield kubectl.within(name)
    kubectl("delete", "namespace", name, "--wait=false")


def _made_to_be_thrown_away(server: str) -> bool:
    try:
        address = ipaddress.ip_address(urlsplit(server).hostname or "")
    except ValueError:
        return False
    return any(address in network for network in THROWAWAY)
