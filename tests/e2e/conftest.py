"""The operator under test: a process with the chart's permissions, on a whole cluster.

    python -m devcluster up --profile full
    python -m devcluster exec -- python -m pytest tests/e2e

Each test has a namespace of its own, which is gone when the session ends.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo import manifests, place
from demo.images import Image, ImageMaker, Key
from demo.kube import Kube, wait_for
from demo.operator_process import OperatorProcess, install_chart, write_kubeconfig
from devcluster import Cluster
from devcluster.layout import NODE_ADDRESS, PROMETHEUS_PORT, REGISTRY_WITH_REFERRERS
from tests.e2e.each_way import RESULTS, OpenShop
from tests.e2e.edge import ShopBehindGateway
from tests.e2e.gate import Gate
from tests.e2e.shop import Shop
from tests.e2e.ways import BY_SERVICES, Way

PREFIX = "e2e-"
POLICY = "e2e"
LOG = Path(__file__).parents[2] / "build" / "e2e" / "operator.log"
DELETE_TIMEOUT = 90.0


@pytest.fixture(scope="session")
def registry() -> str:
    """The registry that the cluster pulls from."""
    if "KUBECONFIG" not in os.environ:
        pytest.skip("needs a cluster: python -m devcluster exec -- python -m pytest tests/e2e")
    return place.registry()


@pytest.fixture(scope="session")
def cluster(registry: str) -> Cluster:
    """The local cluster, for what no other has: a second registry, an audit log to read."""
    cluster = Cluster.load()
    if cluster.registry != registry:
        pytest.skip("needs the local cluster")
    return cluster


@pytest.fixture(scope="session")
def kube(registry: str) -> Iterator[Kube]:
    """The API as cluster-admin; at the end nothing of the tests may be left."""
    kube = Kube()
    # A session that was killed had no end.
    for name in _namespaces(kube):
        kube.delete("Namespace", name)
    yield kube

    def look() -> tuple[bool | None, str]:
        left = _namespaces(kube)
        return (None if left else True), f"{', '.join(left)} still there"

    wait_for("all namespaces of the tests to be gone", look, DELETE_TIMEOUT)


def _namespaces(kube: Kube) -> list[str]:
    names = (str(item["metadata"]["name"]) for item in kube.list("Namespace"))
    return [name for name in names if name.startswith(PREFIX)]


@pytest.fixture(scope="session")
def maker(registry: str, tmp_path_factory: pytest.TempPathFactory) -> ImageMaker:
    """Builds and signs images."""
    run = f"{time.time():.3f}"
    return ImageMaker(tmp_path_factory.mktemp("images"), registry, run)


@pytest.fixture(scope="session")
def team(maker: ImageMaker) -> Key:
    """The key that the policy trusts."""
    return maker.key("team")


@pytest.fixture(scope="session")
def stranger(maker: ImageMaker) -> Key:
    """A key that nobody trusts."""
    return maker.key("stranger")


@pytest.fixture(scope="session")
def image(maker: ImageMaker, team: Key) -> Image:
    """The app, signed; versions differ in the environment that their templates set."""
    image = maker.build("signed", {})
    maker.sign(image, team)
    return image


@pytest.fixture(scope="session")
def image_ref(image: Image) -> str:
    """The signed app by digest."""
    return image.pinned


@pytest.fixture(scope="session")
def gate(registry: str) -> Iterator[Gate]:
    """A registry that can be made unreachable: the first one, through a door of ours."""
    with Gate(registry) as gate:
        yield gate


@pytest.fixture(scope="session")
def metrics() -> Iterator[Gate]:
    """The cluster's Prometheus, which can be made unreachable for the operator."""
    with Gate(f"{NODE_ADDRESS}:{PROMETHEUS_PORT}") as gate:
        yield gate


@pytest.fixture(scope="session")
def installed(
    kube: Kube, registry: str, team: Key, gate: Gate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The chart, a policy that trusts the team's key, and the operator's kubeconfig."""
    install_chart()
    registries = [registry, REGISTRY_WITH_REFERRERS, gate.address]
    trusted = {"team": team.public_pem}
    kube.apply(manifests.policy(POLICY, trusted, registries, [f"{PREFIX}*"]))
    yield write_kubeconfig(kube, tmp_path_factory.mktemp("operator") / "kubeconfig")
    kube.delete("ReleasePolicy", POLICY)


@pytest.fixture(scope="session")
def operator_process(installed: Path, metrics: Gate) -> Iterator[OperatorProcess]:
    """The operator, for the whole session; use `operator`, which sees to it that it runs."""
    RESULTS.unlink(missing_ok=True)
    process = OperatorProcess(installed, LOG, {"IRO_PROMETHEUS_URL": f"http://{metrics.address}"})
    yield process
    process.stop()


@pytest.fixture
def operator(operator_process: OperatorProcess) -> OperatorProcess:
    """The operator, running, whatever the test before has done to it."""
    if not operator_process.alive:
        operator_process.start()
    return operator_process


@pytest.fixture
def namespace(kube: Kube, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own; its `enforce` label comes from the mark `enforce`."""
    mark = request.node.get_closest_marker("enforce")
    name = f"{PREFIX}{secrets.token_hex(4)}"
    kube.apply(manifests.namespace(name, mark.args[0] if mark else "releases"))
    yield name
    kube.delete("Namespace", name)


@pytest.fixture
def shop(
    kube: Kube, operator: OperatorProcess, namespace: str, image: Image, tmp_path: Path
) -> Iterator[Shop]:
    """A release that nobody applied yet."""
    with ExitStack() as exits:
        yield Shop(kube, operator, namespace, image.ref, tmp_path, exits)


@pytest.fixture
def open_shop(
    kube: Kube, operator: OperatorProcess, image: Image, tmp_path: Path
) -> Iterator[OpenShop]:
    """Releases in namespaces of their own, for tests that play several at the same time."""
    with ExitStack() as exits:

        def open_one(way: Way) -> Shop:
            namespace = f"{PREFIX}{secrets.token_hex(4)}"
            kube.apply(manifests.namespace(namespace))
            exits.callback(kube.delete, "Namespace", namespace)
            scratch = tmp_path / way.name.replace(" ", "-")
            if not way.gateway:
                return Shop(kube, operator, namespace, image.ref, scratch, exits)
            shop = ShopBehindGateway(kube, operator, namespace, image.ref, scratch, exits)
            shop.open(Cluster.load(), scratch)
            return shop

        yield open_one


@pytest.fixture(params=BY_SERVICES, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """How traffic moves: the test is played once for each way."""
    found: Way = request.param
    return found


def pytest_configure(config: pytest.Config) -> None:
    """Marks of this tier."""
    config.addinivalue_line("markers", "enforce(value): the namespace's label, else `releases`")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test names the operator's log and shows its end."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call" and report.failed and LOG.exists():
        from demo.child import tail

        report.sections.append((f"the end of {LOG}", tail(LOG, 25)))
    return report  # type: ignore[return-value]
