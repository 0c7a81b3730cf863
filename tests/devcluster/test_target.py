"""CLUSTER chooses a cluster, and somebody else's is never touched without a yes."""

import json
from pathlib import Path

import pytest

from devcluster.errors import TargetError
from devcluster.target import target_from_env


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """CLUSTER=current, with a kubeconfig of one context called `prod`."""
    kubeconfig = tmp_path / "config"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    }
    kubeconfig.write_text(json.dumps(content))
    return {
        "CLUSTER": "current",
        "CLUSTER_REGISTRY": "127.0.0.1:5000",
        "KUBECONFIG": str(kubeconfig),
    }


def test_an_unknown_choice_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TargetError, match=r"CLUSTER is 'cloud': set it to local, kind, current\."):
        target_from_env(environment={"CLUSTER": "cloud"})


def test_the_current_context_is_used_after_a_yes(environment: dict[str, str]) -> None:
    questions: list[str] = []

    def yes(question: str) -> bool:
        questions.append(question)
        return True

    target = target_from_env(yes, environment)
    assert (target.kind, target.context) == ("current", "prod")
    assert target.enter(["kubectl"]) == ["kubectl"]
    assert "in the context prod?" in questions[0]


def test_a_no_leaves_the_current_context_alone(environment: dict[str, str]) -> None:
    with pytest.raises(TargetError, match="Nothing was done in the context prod"):
        target_from_env(lambda question: False, environment)


def test_without_a_terminal_the_context_must_be_named(environment: dict[str, str]) -> None:
    def nobody(question: str) -> bool:
        raise AssertionError(question)

    target = target_from_env(nobody, environment | {"CLUSTER_CONFIRM": "prod"})
    assert target.context == "prod"


def test_another_name_than_the_context_is_no_confirmation(environment: dict[str, str]) -> None:
    with pytest.raises(TargetError, match="CLUSTER_CONFIRM=prod"):
        target_from_env(lambda question: False, environment | {"CLUSTER_CONFIRM": "staging"})


def test_the_current_context_needs_a_registry(environment: dict[str, str]) -> None:
    del environment["CLUSTER_REGISTRY"]
    with pytest.raises(TargetError, match="CLUSTER_REGISTRY"):
        target_from_env(lambda question: True, environment)


def test_a_kubeconfig_without_a_context_is_refused(tmp_path: Path) -> None:
    empty = {"CLUSTER": "current", "KUBECONFIG": str(tmp_path / "none")}
    with pytest.raises(TargetError, match="finds no context in"):
        target_from_env(lambda question: True, empty)


def test_kind_without_docker_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TargetError, match="needs Docker and it does not answer"):
        target_from_env(environment={"CLUSTER": "kind"})
