"""What all tests of a run share: the chart, a policy with its key, a signed image, the operator.

Tests run in several processes at a time. What they share is opened once, by the process that runs
them or, with `-n`, by the one that hands them out, which sends a `Session` to each of the others.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter

from demo import manifests, place
from demo.images import Image, ImageMaker, Key
from demo.kube import Kube, wait_for
from demo.operator_process import OperatorProcess, install_chart, write_kubeconfig
from devcluster.layout import NODE_ADDRESS, PROMETHEUS_PORT, REGISTRY_WITH_REFERRERS
from tests.e2e.gate import Gate

PREFIX = "e2e-"
POLICY = "e2e"
LOG = Path(__file__).parents[2] / "build" / "e2e" / "operator.log"
DELETE_TIMEOUT = 90.0


@dataclass(frozen=True)
class Session:
    """What a test has to know of it."""

    registry: str
    # The one that the policy trusts, and one that nobody trusts.
    team: Key
    stranger: Key
    # The app, signed; versions differ in the environment that their templates set.
    image: Image
    # The operator's own way to the API server.
    kubeconfig: Path

    def wire(self) -> str:
        """For another process."""
        return _SESSION.dump_json(self).decode()

    @staticmethod
    def of(wire: str) -> "Session":
        """As another process wrote it."""
        return _SESSION.validate_json(wire)


_SESSION = TypeAdapter(Session)


@dataclass(frozen=True)
class Open:
    """A session in the process that opened it: who has this may disturb all others."""

    session: Session
    operator: OperatorProcess
    # The registry, and the cluster's Prometheus as the operator knows it, by doors that can shut.
    gate: Gate
    metrics: Gate


@contextmanager
def opened() -> Iterator[Open]:
    """Set up what is shared, on a cluster that has nothing of an earlier session.

    Raises:
        Unmet: namespaces of tests were still there at its end.
    """
    kube, registry = Kube(), place.registry()
    # A session that was killed had no end.
    for name in _namespaces(kube):
        kube.delete("Namespace", name)
    prometheus = f"{NODE_ADDRESS}:{PROMETHEUS_PORT}"
    with (
        TemporaryDirectory(prefix=PREFIX) as scratch,
        Gate(registry) as gate,
        Gate(prometheus) as metrics,
    ):
        session = _set_up(kube, registry, gate, Path(scratch))
        settings = {"IRO_PROMETHEUS_URL": f"http://{metrics.address}"}
        operator = OperatorProcess(session.kubeconfig, LOG, settings)
        operator.start()
        try:
            yield Open(session, operator, gate, metrics)
            _await_no_namespace(kube)
        finally:
            operator.stop()
            kube.delete("ReleasePolicy", POLICY)


def _set_up(kube: Kube, registry: str, gate: Gate, scratch: Path) -> Session:
    maker = ImageMaker(scratch, registry, run=f"{time.time():.3f}")
    team, stranger = maker.key("team"), maker.key("stranger")
    image = maker.build("signed", {})
    maker.sign(image, team)
    install_chart()
    registries = [registry, REGISTRY_WITH_REFERRERS, gate.address]
    kube.apply(manifests.policy(POLICY, {"team": team.public_pem}, registries, [f"{PREFIX}*"]))
    kubeconfig = write_kubeconfig(kube, scratch / "kubeconfig")
    return Session(registry, team, stranger, image, kubeconfig)


def fresh_namespace() -> str:
    """A name for the namespace of one test."""
    return f"{PREFIX}{secrets.token_hex(4)}"


def _await_no_namespace(kube: Kube) -> None:
    def look() -> tuple[bool | None, str]:
        left = _namespaces(kube)
        return (None if left else True), f"{', '.join(left)} still there"

    wait_for("all namespaces of the tests to be gone", look, DELETE_TIMEOUT)


def _namespaces(kube: Kube) -> list[str]:
    names = (str(item["metadata"]["name"]) for item in kube.list("Namespace"))
    return [name for name in names if name.startswith(PREFIX)]
