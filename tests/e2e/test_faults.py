"""The API server fails in many ways; users notice none of them while the old version is healthy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.kube import Kube
from demo.operator_process import OperatorProcess, write_kubeconfig
from tests.e2e.session import LOG
from tests.e2e.shop import Shop
from tests.faults.authority import authority
from tests.faults.background import Background
from tests.faults.proxy import Proxy
from tests.faults.scenarios import SCENARIOS

# Those that reach deepest: answers that are lost, refusals, what was
# done and denied, and events out of order. All of
# them, without users, are in tests/faults.
CHOSEN = ["reset after", "429 with Retry-After", "500 after it was done", "events repeated"]
GONE = 60.0


@pytest.fixture
def proxy(kube: Kube, request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """An API server in trouble."""
    with Background() as background:
        proxy = Proxy(background, kube.server, authority(), SCENARIOS[request.param]())
        yield proxy
        proxy.close()


@pytest.fixture
def troubled(
    kube: Kube, operator: OperatorProcess, proxy: Proxy, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """An operator that knows no other API server; the usual one does not run meanwhile."""
    operator.stop()
    kubeconfig = write_kubeconfig(kube, tmp_path / "kubeconfig", proxy.url)
    troubled = OperatorProcess(kubeconfig, LOG.with_name("faults.log"))
    troubled.start()
    yield troubled
    troubled.stop()


@pytest.mark.parametrize("proxy", CHOSEN, indirect=True)
def test_no_request_fails_while_the_api_server_does(
    troubled: OperatorProcess, shop: Shop, proxy: Proxy
) -> None:
    shop.given_serving("v1")
    users = shop.given_users()
    v2 = shop.given_serving("v2")
    users.await_calm("v2")
    v3 = shop.when_applied("v3", {"UNHEALTHY": "1"})
    shop.then_fails(v3, "ProbeFailed")
    users.await_calm("v2")
    assert users.so_far().failed == 0
    v4 = shop.when_applied("v4", {"FAIL_AFTER": "3"})
    users.await_failure()
    shop.then_fails(v4, "Reverted")
    shop.then_serves(v2)
    users.await_calm("v2")
    shop.kube.delete("ImmutableRelease", "shop", shop.namespace)
    shop.then("all of it to be gone", lambda: _gone(shop), GONE)
    assert troubled.alive
    assert any(seen.fault for seen in proxy.seen)


def _gone(shop: Shop) -> bool | None:
    kinds = ("ImmutableRelease", "ReleaseRevision", "Deployment", "Service", "Pod")
    return None if any(shop.kube.list(kind, shop.namespace) for kind in kinds) else True
