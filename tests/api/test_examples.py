"""Every example is accepted as it stands, shows what it claims to show, and stays as it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from immutablerelease.api.kinds import KINDS, Kind
from immutablerelease.api.schema import structural_schema
from tests.api.kubectl import Kubectl

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
RELEASE = next(kind for kind in KINDS if kind.name == "ImmutableRelease")


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.name)
def example(request: pytest.FixtureRequest, kubectl: Kubectl) -> Iterator[Path]:
    """An example; what it makes for the whole cluster is deleted afterwards."""
    path: Path = request.param
    yield path
    kubectl("delete", "--ignore-not-found", "--wait=false", "-f", str(path))


def test_an_example_is_accepted_and_applying_it_again_changes_nothing(
    namespace: Kubectl, example: Path
) -> None:
    for options in ((), ("--server-side", "--field-manager=gitops")):
        namespace("apply", *options, "-f", str(example))
        before = namespace("get", "-f", str(example), "-o", "json")
        namespace("apply", *options, "-f", str(example))
        assert namespace("get", "-f", str(example), "-o", "json") == before


def test_the_examples_cover_every_kind() -> None:
    shown = {document["kind"] for path in EXAMPLES for document in _documents(path)}
    # A ReleaseRevision is written by the operator only.
    assert shown == {kind.name for kind in KINDS} - {"ReleaseRevision"} | {"Namespace"}


def test_the_examples_show_every_field_of_a_release() -> None:
    written = {
        field
        for name in (
            "release-full.yaml",
            "release-canary.yaml",
            "release-daemonset.yaml",
            "release-istio.yaml",
        )
        for document in _documents(next(path for path in EXAMPLES if path.name == name))
        for field in _written(document["spec"])
    }
    # A cookie is what a header is, and a preview has one of them.
    others = {"traffic.gateway.preview.cookie", "traffic.istio.preview.header"}
    assert set(_fields(RELEASE)) - written == others


def test_the_minimal_release_has_nothing_but_required_fields() -> None:
    (document,) = _documents(next(path for path in EXAMPLES if path.name == "release-minimal.yaml"))
    assert set(_written(document["spec"])) == set(_fields(RELEASE, required=True)) | set(
        _written(document["spec"]["template"], "template")
    )


def _documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def _fields(kind: Kind, *, required: bool = False) -> Iterator[str]:
    """Paths of the fields of a spec; a Pod template counts as one."""

    def walk(schema: dict[str, Any], path: str) -> Iterator[str]:
        for name, value in schema.get("properties", {}).items():
            if required and name not in schema.get("required", []):
                continue
            yield (field := f"{path}.{name}".lstrip("."))
            if name != "template":
                yield from walk(value.get("items", value), field)

    return walk(structural_schema(kind.spec, defaults=True), "")


def _written(value: Any, path: str = "") -> Iterator[str]:
    """Paths of the fields that a document has."""
    if isinstance(value, list):
        for item in value:
            yield from _written(item, path)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (field := f"{path}.{name}".lstrip("."))
            yield from _written(inner, field)
