"""Tools are built once, are pinned, and an interrupted build never counts."""

from pathlib import Path

import pytest

from devcluster import toolchain
from devcluster.errors import BuildError
from devcluster.recipes import NEEDED, RECIPES, USUAL


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "immutable-release-operator" / "tools"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "go.mod").write_text("module hello\n\ngo 1.21\n")
    (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_every_tool_is_pinned_with_the_sums_of_what_it_is_made_of(name: str) -> None:
    recipe = RECIPES[name]
    assert toolchain.version_of(recipe).startswith("v")
    assert (recipe.source / "go.sum").stat().st_size > 0


@pytest.mark.parametrize("profile", NEEDED)
def test_every_tool_that_a_profile_needs_has_a_recipe(profile: str) -> None:
    assert set(NEEDED[profile]) <= set(RECIPES)


def test_what_no_cluster_needs_is_built_only_when_it_is_named() -> None:
    unusual = RECIPES.keys() - set(USUAL)
    sigstore, peers = {"fulcio", "rekor-server", "timestamp-server"}, {"argo-rollouts", "flagger"}
    assert unusual == sigstore | peers
    assert not any(unusual & set(names) for names in NEEDED.values())


def test_an_unknown_tool_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BuildError, match=r"No tool is called helmet: choose from .*helm"):
        toolchain.tool("helmet")


def test_a_tool_is_where_its_version_says(cache: Path) -> None:
    path = toolchain.path_of(RECIPES["kubectl"])
    assert path.parent.parent == cache
    assert path.parent.name.startswith(f"kubectl-{toolchain.version_of(RECIPES['kubectl'])}-")
    assert toolchain.missing(["kubectl"]) == ["kubectl"]


def test_the_api_server_knows_its_version() -> None:
    flags = RECIPES["kube-apiserver"].linker_flags("v1.36.3")
    assert "version.gitVersion=v1.36.3" in flags
    assert "version.gitMinor=36" in flags


def test_a_program_of_ours_is_built_once_and_again_when_it_changed(
    cache: Path, package: Path
) -> None:
    first = toolchain.go_build(package, "hello")
    built = first.stat().st_mtime_ns
    assert toolchain.go_build(package, "hello") == first
    assert first.stat().st_mtime_ns == built
    (package / "main.go").write_text("package main\n\nfunc main() { println() }\n")
    assert toolchain.go_build(package, "hello") != first


def test_a_failed_build_says_why_and_leaves_nothing(cache: Path, package: Path) -> None:
    (package / "main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    with pytest.raises(BuildError, match=r"hello could not be built.*nonsense"):
        toolchain.go_build(package, "hello")
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_without_go_the_message_says_what_to_install(
    cache: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(BuildError, match="install Go"):
        toolchain.go_build(package, "hello")
