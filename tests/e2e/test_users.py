"""Negative control: users of these tests do notice a request that is lost, cut short or late."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.manifests import RELEASE_LABEL
from demo.traffic import Traffic
from tests.e2e.shop import Shop

ANSWER = b'{"version": "v1"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


class OneBadAnswer:
    """A server that answers all requests well but one."""

    def __init__(self, bad: bytes | None, at: int = 20) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self.listener.getsockname()[1])
        self._bad = bad
        self._at = at
        self._held: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for number in range(100_000):
            try:
                connection, _ = self.listener.accept()
                connection.recv(4096)
                self._answer(connection, number)
            except OSError:
                return

    def _answer(self, connection: socket.socket, number: int) -> None:
        if number == self._at and self._bad is None:
            self._held.append(connection)
            return
        connection.sendall(self._bad if number == self._at and self._bad else HEAD + ANSWER)
        connection.close()


@pytest.fixture
def ports() -> Iterator[list[OneBadAnswer]]:
    """Servers to close."""
    servers: list[OneBadAnswer] = []
    yield servers
    for server in servers:
        server.listener.close()


@pytest.mark.parametrize(
    ("bad", "outcome"),
    [
        pytest.param(b"HTTP/1.1 500 Oops\r\n\r\n" + ANSWER, "500", id="an error"),
        pytest.param(HEAD + ANSWER[:5], "garbled", id="an answer that is cut short"),
        pytest.param(b" ", "garbled", id="something that is no answer"),
        pytest.param(None, "timeout", id="an answer that never comes"),
    ],
)
def test_one_bad_answer_is_one_failed_request(
    ports: list[OneBadAnswer], tmp_path: Path, bad: bytes | None, outcome: str
) -> None:
    server = OneBadAnswer(bad)
    ports.append(server)
    traffic = Traffic("127.0.0.1", tmp_path, server.port, rate=50)
    try:
        traffic.await_failure(traffic.began, 10)
        traffic.await_calm("v1", 0.5, 10)
        window = traffic.window(traffic.began)
    finally:
        traffic.stop()
    assert [record.outcome for record in window.failures] == [outcome]
    assert window.requests > 20


def test_a_server_that_goes_away_is_noticed(ports: list[OneBadAnswer], tmp_path: Path) -> None:
    server = OneBadAnswer(HEAD + ANSWER)
    ports.append(server)
    traffic = Traffic("127.0.0.1", tmp_path, server.port, rate=50)
    try:
        traffic.await_answers()
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        # One that was sent before may have been waiting to be accepted.
        assert traffic.await_failure(time.time(), 10).outcome == "refused"
    finally:
        traffic.stop()


def test_a_service_that_leads_nowhere_fails_users_of_every_kind(shop: Shop) -> None:
    shop.given_serving("v1")
    door = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "door", "namespace": shop.namespace},
        "spec": {"ports": [{"port": 80, "targetPort": 8080}], "selector": {RELEASE_LABEL: "shop"}},
    }
    users = shop.given_users_of(shop.kube.create(door)["spec"]["clusterIP"])
    users.await_calm("v1")
    assert users.so_far().failed == 0
    shop.kube.patch(
        "Service", "door", {"spec": {"selector": {RELEASE_LABEL: "nobody"}}}, shop.namespace
    )
    users.await_failures()


def test_the_loss_of_the_only_pod_fails_users_of_every_kind(shop: Shop) -> None:
    v1 = shop.given_serving("v1", replicas=1)
    users = shop.given_users()
    (pod,) = shop.release.pods(v1.name)
    shop.kube.delete("Pod", pod["metadata"]["name"], shop.namespace)
    users.await_failures()
    users.await_calm("v1")
    assert users.so_far().failed > 0
