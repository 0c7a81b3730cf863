"""A web server of a few answers, in this process, for the services that the tests play."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The body that was posted in, a document out.
Answer = Callable[[bytes], Any]


@contextmanager
def serving(port: int, answers: Mapping[str, Answer]) -> Iterator[None]:
    """Answer requests for these paths with JSON until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(answers))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(answers: Mapping[str, Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing: the tests speak of what went wrong."""

        def _answer(self, body: bytes) -> None:
            answer = answers.get(self.path)
            content = json.dumps(answer(body) if answer else {}).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
