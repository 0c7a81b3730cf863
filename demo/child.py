"""A process of ours that ends when we do, however we end."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_TIMEOUT = 10.0


class Child:
    """Started in a session of its own, so that Ctrl-C reaches it through us and not before us."""

    def __init__(self, arguments: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                # The kernel kills it when this process dies, be it by kill -9.
                ["setpriv", "--pdeathsig", "KILL", *arguments],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Until it has ended by itself."""
        self._process.wait()

    def kill(self) -> None:
        """As a power cut would end it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT)

    def stop(self) -> int:
        """Ask it to end, and insist when it does not; its exit code."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        return self._process.returncode


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented for a report."""
    if not log.exists():
        return "    (no log yet)"
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in last)
