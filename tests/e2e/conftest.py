"""The operator under test: a process with the chart's permissions, on a whole cluster.

    python -m devcluster up --profile full
    python -m devcluster exec -- python -m pytest tests/e2e

Each test has a namespace of its own, which is gone when the session ends. With `-n` only those run
together that disturb nobody: what stops the operator, shuts a door that all go through, or
measures seconds, is marked `alone`.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from demo import manifests
from demo.errors import DemoError
from demo.images import REPOSITORY, Image, ImageMaker, Key
from demo.kube import Kube
from demo.operator_process import OperatorProcess
from devcluster import Cluster
from tests.e2e.each_way import OpenShop
from tests.e2e.edge import ShopBehindGateway
from tests.e2e.gate import Gate
from tests.e2e.session import LOG, Open, Session, fresh_namespace, opened
from tests.e2e.shop import Shop
from tests.e2e.ways import BY_SERVICES, Way

NO_CLUSTER = "needs a cluster: python -m devcluster exec -- python -m pytest tests/e2e"

_OPEN = pytest.StashKey[Open]()
_EXITS = pytest.StashKey[ExitStack]()
_ENDED_BADLY = pytest.StashKey[str]()


class Worker(Protocol):
    """Another process that runs tests for this one."""

    workerinput: dict[str, str]
    config: pytest.Config


def pytest_configure(config: pytest.Config) -> None:
    """Marks of this tier."""
    config.addinivalue_line("markers", "enforce(value): the namespace's label, else `releases`")
    config.addinivalue_line("markers", "alone: it disturbs others, or measures seconds")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Open what all tests share, unless another process has done so."""
    config = session.config
    if "KUBECONFIG" not in os.environ or _is_worker(config) or config.option.collectonly:
        return
    exits = ExitStack()
    try:
        config.stash[_OPEN] = exits.enter_context(opened())
    except DemoError as error:
        pytest.exit(f"the tests cannot begin: {error}", returncode=1)
    config.stash[_EXITS] = exits


def pytest_configure_node(node: Worker) -> None:
    """Tell a process that runs tests what they share."""
    if opened_here := node.config.stash.get(_OPEN, None):
        node.workerinput["session"] = opened_here.session.wire()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Put away what was shared; something left over fails the run."""
    exits = session.config.stash.get(_EXITS, ExitStack())
    try:
        exits.close()
    except DemoError as error:
        session.config.stash[_ENDED_BADLY] = str(error)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left over."""
    if said := config.stash.get(_ENDED_BADLY, ""):
        terminalreporter.write_line(f"ERROR at the end of the session: {said}", red=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that disturb all others."""
    for item in items:
        if "opened_here" in getattr(item, "fixturenames", ()):
            item.add_marker("alone")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test names the operator's log and shows its end."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call" and report.failed and LOG.exists():
        from demo.child import tail

        report.sections.append((f"the end of {LOG}", tail(LOG, 25)))
    return report  # type: ignore[return-value]


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.fixture(scope="session")
def session(pytestconfig: pytest.Config) -> Session:
    """What all tests share."""
    if told := getattr(pytestconfig, "workerinput", {}).get("session"):
        return Session.of(told)
    if _OPEN not in pytestconfig.stash:
        pytest.skip(NO_CLUSTER)
    return pytestconfig.stash[_OPEN].session


@pytest.fixture(scope="session")
def opened_here(session: Session, pytestconfig: pytest.Config) -> Open:
    """The same, for who may disturb all others."""
    if _is_worker(pytestconfig):
        pytest.fail("a test that disturbs others must run alone: -m alone, without -n")
    return pytestconfig.stash[_OPEN]


@pytest.fixture(scope="session")
def registry(session: Session) -> str:
    """The registry that the cluster pulls from."""
    return session.registry


@pytest.fixture(scope="session")
def cluster(registry: str) -> Cluster:
    """The local cluster, for what no other has: a second registry, an audit log to read."""
    cluster = Cluster.load()
    if cluster.registry != registry:
        pytest.skip("needs the local cluster")
    return cluster


@pytest.fixture(scope="session")
def kube(session: Session) -> Kube:
    """The API as cluster-admin."""
    return Kube()


@pytest.fixture(scope="session")
def maker(session: Session, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> ImageMaker:
    """Builds and signs images, whose tags no other process sets."""
    run = f"{time.time():.3f}"
    repository = f"{REPOSITORY}-{worker_id}"
    return ImageMaker(tmp_path_factory.mktemp("images"), session.registry, run, repository)


@pytest.fixture(scope="session")
def team(session: Session) -> Key:
    """The key that the policy trusts."""
    return session.team


@pytest.fixture(scope="session")
def stranger(session: Session) -> Key:
    """A key that nobody trusts."""
    return session.stranger


@pytest.fixture(scope="session")
def image(session: Session) -> Image:
    """The app, signed; versions differ in the environment that their templates set."""
    return session.image


@pytest.fixture(scope="session")
def image_ref(image: Image) -> str:
    """The signed app by digest."""
    return image.pinned


@pytest.fixture
def gate(opened_here: Open) -> Iterator[Gate]:
    """A registry that can be made unreachable: the first one, through a door of ours."""
    yield opened_here.gate
    opened_here.gate.open()


@pytest.fixture
def metrics(opened_here: Open) -> Iterator[Gate]:
    """The cluster's Prometheus, which can be made unreachable for the operator."""
    yield opened_here.metrics
    opened_here.metrics.open()


@pytest.fixture
def operator(opened_here: Open) -> Iterator[OperatorProcess]:
    """The operator, to be stopped and started by a test; it runs again afterwards."""
    yield opened_here.operator
    if not opened_here.operator.alive:
        opened_here.operator.start()


@pytest.fixture
def namespace(kube: Kube, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own; its `enforce` label comes from the mark `enforce`."""
    mark = request.node.get_closest_marker("enforce")
    name = fresh_namespace()
    kube.apply(manifests.namespace(name, mark.args[0] if mark else "releases"))
    yield name
    kube.delete("Namespace", name)


@pytest.fixture
def shop(kube: Kube, namespace: str, image: Image, tmp_path: Path) -> Iterator[Shop]:
    """A release that nobody applied yet."""
    with ExitStack() as exits:
        yield Shop(kube, namespace, image.ref, tmp_path, exits)


@pytest.fixture
def open_shop(kube: Kube, image: Image, tmp_path: Path) -> Iterator[OpenShop]:
    """Releases in namespaces of their own, for tests that play several at the same time."""
    with ExitStack() as exits:

        def open_one(way: Way) -> Shop:
            namespace = fresh_namespace()
            kube.apply(manifests.namespace(namespace))
            exits.callback(kube.delete, "Namespace", namespace)
            scratch = tmp_path / way.name.replace(" ", "-")
            if not way.gateway:
                return Shop(kube, namespace, image.ref, scratch, exits)
            shop = ShopBehindGateway(kube, namespace, image.ref, scratch, exits)
            shop.open(Cluster.load(), scratch)
            return shop

        yield open_one


@pytest.fixture(params=BY_SERVICES, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """How traffic moves: the test is played once for each way."""
    found: Way = request.param
    return found
