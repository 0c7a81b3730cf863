"""Builds the pinned tools, once, into a cache outside the tree.

A tool's folder carries its version and a hash of all that decides its bytes, and appears by one
rename: an interrupted build is never taken for a finished one. One build runs at a time on a
machine; whoever comes second waits and then finds it done.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devcluster.errors import BuildError
from devcluster.layout import cache_home
from devcluster.locks import only_one
from devcluster.progress import say, step
from devcluster.recipes import RECIPES, Recipe

_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-buildvcs=false",
    # A module may want a newer toolchain than the one installed; Go then brings it itself.
    "GOTOOLCHAIN": "auto",
    "GOWORK": "off",
}
_SHOWN_OF_A_FAILURE = 5
_DATA = "data"


def tool(name: str) -> Path:
    """The path of a pinned tool, built first where the cache does not have it yet."""
    return tools([name])[name]


def tools(names: Iterable[str]) -> dict[str, Path]:
    """The paths of pinned tools, with progress shown for those that have to be built."""
    recipes = [_recipe(name) for name in names]
    missing = [recipe for recipe in recipes if not path_of(recipe).exists()]
    for number, recipe in enumerate(missing, start=1):
        _build_once(recipe, f"({number}/{len(missing)})")
    return {recipe.name: path_of(recipe) for recipe in recipes}


def missing(names: Iterable[str]) -> list[str]:
    """Those of the tools that the cache does not have."""
    return [name for name in names if not path_of(_recipe(name)).exists()]


def search_path(names: Iterable[str]) -> str:
    """The folders of the given tools that are built, joined as PATH wants them."""
    found = (path_of(_recipe(name)) for name in names)
    return os.pathsep.join(str(path.parent) for path in found if path.exists())


def data_of(name: str) -> Path:
    """The folder of the files that come with a tool."""
    return tool(name).parent / _DATA


def path_of(recipe: Recipe) -> Path:
    """Where the cache has the tool, or will have it."""
    folder = _home() / f"{recipe.name}-{version_of(recipe)}-{_fingerprint(recipe)}"
    return folder / (recipe.name if recipe.package else _DATA)


def version_of(recipe: Recipe) -> str:
    """The version that the group's go.mod pins."""
    text = (recipe.source / "go.mod").read_text()
    found = re.search(rf"^(?:require)?\s*{re.escape(recipe.module)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise BuildError(f"{recipe.source / 'go.mod'} does not pin {recipe.module}: add it there.")
    return found[1]


def go_build(package_dir: Path, output: str) -> Path:
    """Build a static program from a folder of ours into the cache; return its path.

    Args:
        package_dir: a folder with a `main` package and its own go.mod.
        output: the program's name.
    """
    target = _home() / f"{output}-{_hash_of(sorted(package_dir.rglob('*')), package_dir)}" / output
    if target.exists():
        return target
    with only_one(_home() / ".lock", output):
        if not target.exists():
            with step(output, "building"), _finished_or_absent(target.parent) as folder:
                _go_build(package_dir, ".", folder / output, "-s -w")
    return target


def _home() -> Path:
    return cache_home() / "tools"


def _recipe(name: str) -> Recipe:
    try:
        return RECIPES[name]
    except KeyError:
        raise BuildError(f"No tool is called {name}: choose from {', '.join(RECIPES)}.") from None


def _fingerprint(recipe: Recipe) -> str:
    if recipe.package == ".":
        files = sorted(recipe.source.iterdir())
    else:
        files = [recipe.source / "go.mod", recipe.source / "go.sum"]
    decides = f"{recipe.package} {recipe.linker_flags(version_of(recipe))} {recipe.data}"
    return _hash_of(files, recipe.source, decides)


def _hash_of(files: Iterable[Path], root: Path, also: str = "") -> str:
    digest = hashlib.sha256(f"{_ENVIRONMENT} {also}".encode())
    for file in files:
        if file.is_file():
            digest.update(f"{file.relative_to(root)} {file.stat().st_size}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _build_once(recipe: Recipe, count: str) -> None:
    target = path_of(recipe)
    with only_one(_home() / ".lock", recipe.name):
        if target.exists():
            say(recipe.name, f"built by another run {count}")
            return
        with (
            step(recipe.name, f"building {count}"),
            _finished_or_absent(target.parent) as folder,
        ):
            if recipe.package:
                flags = recipe.linker_flags(version_of(recipe))
                _go_build(recipe.source, recipe.package, folder / recipe.name, flags)
            _copy_data(recipe, folder / _DATA)


@contextmanager
def _finished_or_absent(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as partial:
        folder = Path(partial) / "tool"
        folder.mkdir(mode=0o755)
        yield folder
        folder.rename(target)


def _go_build(source: Path, package: str, output: Path, linker_flags: str) -> None:
    command = ["build", "-trimpath", "-ldflags", linker_flags, "-o", str(output), package]
    done = _go(command, source)
    if done.returncode:
        raise BuildError(f"{output.name} could not be built: {_last_words(done.stderr)}")


def _copy_data(recipe: Recipe, folder: Path) -> None:
    if not recipe.data:
        return
    done = _go(["mod", "download", "-json", recipe.module], recipe.source)
    if done.returncode:
        raise BuildError(f"The files of {recipe.module} are not there: {_last_words(done.stderr)}")
    root = Path(json.loads(done.stdout)["Dir"])
    for part in recipe.data:
        shutil.copytree(root / part, folder / part, copy_function=shutil.copyfile)


def _go(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment: Mapping[str, str] = {**os.environ, **_ENVIRONMENT}
    try:
        return subprocess.run(
            ["go", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise BuildError(
            "Go is not on the PATH and the tools are built with it: install Go 1.21 or newer "
            "(it brings the exact toolchain itself)."
        ) from None


def _last_words(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-_SHOWN_OF_A_FAILURE:])
