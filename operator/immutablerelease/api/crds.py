"""Writes `crds/` from the typed models: `python -m immutablerelease.api.crds --write crds/`.

`--check crds/` is for CI and tests: it fails when a file there is not what the models say.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .kinds import KINDS, Column, Kind
from .meta import GROUP, VERSION
from .schema import structural_schema, validations

_COMMAND = "python -m immutablerelease.api.crds --write"


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": kind.scope,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": ["immutable"],
            },
            "versions": [_version(kind)],
        },
    }


def render(kind: Kind) -> str:
    """The file of a kind."""
    text = yaml.safe_dump(definition(kind), sort_keys=True, width=100, allow_unicode=True)
    return f"# Written by `{_COMMAND} crds/` from the typed models; change those.\n{text}"


def files() -> dict[str, str]:
    """All files of `crds/` by name."""
    return {f"{GROUP}_{kind.plural}.yaml": render(kind) for kind in KINDS}


def stale(directory: Path) -> list[str]:
    """What is wrong with a directory of CRDs, in sentences; empty when it is up to date."""
    expected = files()
    found = {path.name: path.read_text() for path in directory.glob("*.yaml")}
    return [
        *(f"{directory / name} is missing" for name in expected.keys() - found.keys()),
        *(f"{directory / name} belongs to no kind" for name in found.keys() - expected.keys()),
        *(
            f"{directory / name} is not what the models say"
            for name in expected.keys() & found.keys()
            if expected[name] != found[name]
        ),
    ]


def write(directory: Path) -> None:
    """Make a directory hold the CRDs and no others."""
    directory.mkdir(parents=True, exist_ok=True)
    expected = files()
    for path in directory.glob("*.yaml"):
        if path.name not in expected:
            path.unlink()
    for name, text in expected.items():
        (directory / name).write_text(text)


def _version(kind: Kind) -> dict[str, Any]:
    subresources: dict[str, Any] = {"status": {}}
    if kind.scale:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema(kind)},
        "subresources": subresources,
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "selectableFields": [{"jsonPath": path} for path in kind.selectable],
    }


def _schema(kind: Kind) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
            "kind": {"type": "string", "description": kind.name},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec, defaults=True),
            "status": structural_schema(kind.status, defaults=False),
        },
    }
    if kind.rules:
        schema["x-kubernetes-validations"] = validations(kind.rules)
    return schema


def _column(column: Column) -> Mapping[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
        "description": column.description,
        "priority": int(column.wide),
    }


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="immutablerelease.api.crds", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path, metavar="DIR", help="write the CRDs there")
    action.add_argument("--check", type=Path, metavar="DIR", help="fail when they are stale there")
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.write)
        return 0
    problems = stale(arguments.check)
    for problem in problems:
        print(problem)
    if problems:
        print(f"run: {_COMMAND} {arguments.check}")
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())
