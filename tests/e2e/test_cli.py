"""`kubectl immutable` at a real cluster: looking, asking and being told why."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.images import ImageMaker
from demo.kube import wait_for
from tests.e2e.shop import Shop

PLUGIN = Path(sys.executable).parent / "kubectl-immutable"


class Terminal:
    """Somebody who calls commands in the namespace of the test."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def call(self, *words: str, code: int = 0) -> str:
        """What a command printed; it must end with this code."""
        done = subprocess.run(
            [PLUGIN, *words, "-n", self.namespace],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "COLUMNS": "100"},
        )
        assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
        print(f"$ kubectl immutable {' '.join(words)}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def kubectl(self, *words: str) -> str:
        """What kubectl printed, with the plugin on its PATH."""
        done = subprocess.run(
            ["kubectl", *words],
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **os.environ,
                "PATH": f"{PLUGIN.parent}:{os.environ['PATH']}",
            },
            check=True,
        )
        return done.stdout

    def begin(self, *words: str, into: Path) -> "subprocess.Popen[bytes]":
        """A command that goes on."""
        # Who runs the tests in the background ignores Ctrl-C, and so would what they start.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with into.open("wb") as file:
                return subprocess.Popen([PLUGIN, *words, "-n", self.namespace], stdout=file)
        finally:
            signal.signal(signal.SIGINT, before)


@pytest.fixture
def terminal(namespace: str) -> Terminal:
    return Terminal(namespace)


def test_a_release_by_hand(shop: Shop, terminal: Terminal) -> None:
    v1 = shop.given_serving("v1")
    v2 = shop.when_applied("v2", strategy={"blueGreen": {"promotion": "Manual"}})
    shop.then_phase("AwaitingPromotion")

    shown = terminal.call("status", "shop")
    assert "shop  AwaitingPromotion" in shown
    assert f"100%  ████████████████████████  #1 {v1.name}" in shown
    assert f"#2 {v2.name}  Testing  candidate" in shown
    assert "verdict  Verified, signed by team (sha256:" in shown
    promote = f"kubectl immutable promote shop -n {terminal.namespace}"
    assert f"Next  {promote} gives it the traffic" in shown

    shown = terminal.call("diff", "shop")
    assert "+      value: v2\n" in shown
    assert "Images" not in shown, "both run the same image"

    shown = terminal.call("promote", "shop", "--revision", "2", "--reason", "looks good")
    assert f"done: promotion of {v2.name} approved" in shown
    shop.then_serves(v2)

    shown = terminal.call("rollback", "shop", "--to", "1", "--reason", "too slow")
    assert f"done: traffic went from {v2.name} to {v1.name}" in shown
    assert shop.release.selected() == v1.name

    first, second = json.loads(terminal.call("history", "shop", "-o", "json"))
    assert (first["phase"], first["failure"]["reason"]) == ("Failed", "RolledBack")
    assert (second["phase"], second["number"]) == ("Active", 1)
    assert "rolled back: too slow" in terminal.call("history", "shop")

    shown = terminal.call("promote", "shop", code=1)
    assert "refused: nothing to promote" in shown


def test_why_a_release_is_rejected(shop: Shop, terminal: Terminal, maker: ImageMaker) -> None:
    shop.given_serving("v1")
    shop.when_applied("v2", image=maker.build("nobody-signed", {}).ref)
    shop.then_phase("Rejected")
    shown = terminal.call("explain", "shop")
    assert "No signature was found that a policy counts" in shown
    assert "Have the image signed, then: kubectl immutable retry shop" in shown
    # Events come a moment after what they tell of.
    shop.event("Rejected")
    told = json.loads(terminal.call("explain", "shop", "-o", "json"))
    assert "Rejected" in [item["what"] for item in told["recent"]]


def test_why_a_release_was_reverted_and_a_watch_that_saw_it(
    shop: Shop, terminal: Terminal, tmp_path: Path
) -> None:
    v1 = shop.given_serving("v1")
    seen = tmp_path / "watched"
    watching = terminal.begin("status", "shop", "--watch", into=seen)
    try:
        _await(lambda: "shop  Active" in seen.read_text(), "the watch to show what is")
        # It begins to fail after its first request.
        shop.given_users()
        shop.when_applied("v2", {"FAIL_AFTER": "3"})
        shop.then_phase("Reverted")
        _await(lambda: "shop  Reverted" in seen.read_text(), "the watch to show the revert")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0
    finally:
        watching.kill()
    shown = terminal.call("explain", "shop")
    assert "served and failed; the operator sent the traffic back" in shown
    assert "A probe failed as often in a row as its failureThreshold allows" in shown
    assert f"#1 {v1.name} for " in shown


def test_what_is_not_there_is_said_in_a_sentence(terminal: Terminal) -> None:
    shown = terminal.call("status", "shop", code=1)
    assert "there is no release shop in namespace " in shown
    assert terminal.call("status") == f"no releases in namespace {terminal.namespace}\n"


def test_kubectl_finds_the_plugin_and_completes_it(shop: Shop, terminal: Terminal) -> None:
    shop.given_serving("v1")
    assert "shop  Active" in terminal.kubectl("immutable", "status", "shop", "-n", shop.namespace)
    words = ("__complete", "immutable", "status", "-n", shop.namespace, "")
    assert "shop\tActive" in terminal.kubectl(*words).splitlines()


def _await(holds: Callable[[], bool], what: str) -> None:
    wait_for(what, lambda: (holds() or None, "not seen yet"), 60)
