"""The cluster is chosen as kubectl chooses it, and what is wrong with the choice is said."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from immutablerelease.cli import cluster as clusters
from immutablerelease.cli.main import build_parser, main

Screen = pytest.CaptureFixture[str]


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    path = tmp_path / "config"
    config = {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
            {"name": "two", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("words", "namespace"),
    [((), "team"), (("--context", "two"), "default"), (("-n", "other"), "other")],
    ids=["of the current context", "a context without one", "named"],
)
async def test_the_namespace_is_that_of_the_context_unless_named(
    kubeconfig: Path, words: tuple[str, ...], namespace: str
) -> None:
    call = ["status", "--kubeconfig", str(kubeconfig), *words]
    async with clusters.connect(build_parser(call).parse_args(call)) as cluster:
        assert cluster.namespace == namespace
        assert cluster.place == "".join(f" {word}" for word in words).removesuffix(" ")


def test_no_kubeconfig_is_one_clear_sentence(capsys: Screen, tmp_path: Path) -> None:
    assert main(["status", "--kubeconfig", str(tmp_path / "none")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(f"there is no kubeconfig at {tmp_path / 'none'}")
    assert "KUBECONFIG" in second


@pytest.mark.parametrize("text", ["a: [", "nothing", "", "contexts: {}"])
def test_a_broken_kubeconfig_is_one_clear_sentence(
    text: str, capsys: Screen, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    assert main(["status", "--kubeconfig", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "cannot be used" in lines[0]


def test_an_unknown_context_is_one_clear_sentence(capsys: Screen, kubeconfig: Path) -> None:
    assert main(["status", "--kubeconfig", str(kubeconfig), "--context", "no"]) == 2
    assert "no" in capsys.readouterr().err.splitlines()[0]


def test_a_cluster_that_is_away_is_neither_yes_nor_no(capsys: Screen, kubeconfig: Path) -> None:
    assert main(["status", "--kubeconfig", str(kubeconfig)]) == 3
    assert "gave no usable answer" in capsys.readouterr().err


def test_help_is_there_at_once() -> None:
    code = (
        "import sys; from immutablerelease.cli.main import build_parser; build_parser(['--help']);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"asyncio", "aiohttp", "kubernetes", "kopf", "pydantic", "rich", "sigstore", "yaml"}
    assert not slow & set(done.stdout.split())
