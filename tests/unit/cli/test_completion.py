"""Words can be completed: commands, options, names of releases and revisions."""

import argparse
import shutil
import subprocess
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from immutablerelease.cli import completion
from immutablerelease.cli.cluster import Cluster
from immutablerelease.cli.errors import Complaint
from immutablerelease.cli.main import COMMANDS, main

from .scene import Scene, promoted

ROOT = Path(__file__).parents[3]


async def offered(scene: Scene, *words: str) -> dict[str, str]:
    """What is offered for the last word, with descriptions."""
    found, directive = await completion.complete(words, scene.connect)
    assert directive == ":4"
    return {item.word: item.description for item in found}


@asynccontextmanager
async def nowhere(arguments: argparse.Namespace) -> AsyncIterator[Cluster]:
    raise Complaint("there is no kubeconfig")
    yield


async def test_commands_come_first() -> None:
    scene = Scene()
    assert (await offered(scene, "")).keys() == COMMANDS.keys()
    assert await offered(scene, "prom") == {"promote": COMMANDS["promote"].help}


@pytest.mark.parametrize("command", ["status", "history", "explain", "diff", "promote", "rollback"])
async def test_names_of_releases_are_offered(command: str) -> None:
    scene = await promoted()
    assert await offered(scene, command, "") == {"shop": "Active"}
    assert await offered(scene, command, "-n", "empty", "") == {}


@pytest.mark.parametrize(
    "words",
    [
        ("rollback", "shop", "--to", ""),
        ("promote", "shop", "--revision", ""),
        ("diff", "shop", ""),
        ("diff", "-n", "demo", "shop", "1", ""),
    ],
    ids=" ".join,
)
async def test_revisions_are_offered_the_newest_first(words: tuple[str, ...]) -> None:
    scene = await promoted()
    assert list((await offered(scene, *words)).items()) == [
        (scene.revision("v2"), "#2 Active registry.test/app:v2"),
        (scene.revision("v1"), "#1 Superseded registry.test/app:v1"),
    ]


async def test_options_and_their_choices_are_offered() -> None:
    scene = await promoted()
    assert "--watch" in await offered(scene, "status", "--w")
    assert "--timeout" in await offered(scene, "retry", "shop", "--")
    assert list(await offered(scene, "status", "-o", "")) == ["text", "json", "yaml"]
    assert list(await offered(scene, "completion", "")) == ["bash", "zsh", "fish"]


async def test_contexts_come_from_the_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "config"
    config = {
        "current-context": "home",
        "contexts": [{"name": "home", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    words = ("status", "--kubeconfig", str(path), "--context", "")
    assert await offered(Scene(), *words) == {"home": ""}


async def test_files_are_left_to_the_shell() -> None:
    words = ("verify", "image", "--policy", "")
    assert await completion.complete(words, nowhere) == ([], ":0")


async def test_without_a_cluster_nothing_is_offered_and_nothing_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await completion.complete(("status", ""), nowhere) == ([], ":4")
    assert capsys.readouterr() == ("", "")


def test_candidates_are_written_as_kubectl_reads_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert completion.answer(["comp"], connect=nowhere) == 0
    assert capsys.readouterr().out == f"completion\t{COMMANDS['completion'].help}\n:4\n"


def test_kubectl_finds_it_by_its_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entry = project["scripts"]["kubectl_complete-immutable"]
    assert entry == f"{completion.__name__}:run"


@pytest.mark.parametrize("shell", completion.SCRIPTS)
def test_the_script_is_one_that_its_shell_reads(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=30)


def test_bash_offers_what_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = tmp_path / "kubectl_complete-immutable"
    asked.write_text('#!/bin/sh\nprintf "%s\\tas asked\\n" "$@"\necho :4\n', encoding="utf-8")
    asked.chmod(0o755)
    main(["completion", "bash"])
    script = (
        f'PATH="{tmp_path}:$PATH"\n{capsys.readouterr().out}\n'
        "COMP_WORDS=(kubectl-immutable status '' ignored)\nCOMP_CWORD=2\n_kubectl_immutable\n"
        'printf "<%s>" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash"], input=script, text=True, capture_output=True, timeout=30)
    assert done.stdout == "<status><>"
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_offers_what_it_is_told_and_files_where_they_are_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = tmp_path / "kubectl_complete-immutable"
    asked.write_text(
        '#!/bin/sh\n[ "$1" = verify ] && echo :0 || printf "%s-it\\tas asked\\n:4\\n" "$1"\n',
        encoding="utf-8",
    )
    asked.chmod(0o755)
    (tmp_path / "policy.yaml").touch()
    main(["completion", "fish"])
    script = (
        f"set -x PATH {tmp_path} $PATH\ncd {tmp_path}\n{capsys.readouterr().out}\n"
        "complete -C 'kubectl-immutable status '\ncomplete -C 'kubectl-immutable verify pol'\n"
    )
    command = ["fish", "--no-config", "--command", script]
    done = subprocess.run(command, text=True, capture_output=True, timeout=30, check=True)
    assert done.stdout.splitlines() == ["status-it\tas asked", "policy.yaml"]
    assert done.stderr == ""
