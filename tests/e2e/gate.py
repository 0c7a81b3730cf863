"""A door to a registry that a test can shut: connections are then refused, as by a dead one."""

import contextlib
import socket
import threading
from typing import Self

BACKLOG = 64
CONNECT_TIMEOUT = 2.0


class Gate:
    """Forwards 127.0.0.1:PORT to an address while it is open."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener: socket.socket | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])

    @property
    def address(self) -> str:
        """What images and policies call it."""
        return f"127.0.0.1:{self._port}"

    def open(self) -> None:
        """Let connections through from now on."""
        if self._listener is None:
            listener = socket.create_server(("127.0.0.1", self._port), backlog=BACKLOG)
            self._listener = listener
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections from now on."""
        if self._listener is not None:
            # A thread that waits in accept() keeps the port; shutdown wakes it.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(self._target, CONNECT_TIMEOUT)
            except OSError:
                return
            server.settimeout(None)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
