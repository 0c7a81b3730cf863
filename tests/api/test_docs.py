"""Every manifest in the README and in docs/ is accepted by a real API server, as it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.api.kubectl import Kubectl

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```ya?ml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A block of YAML on a page."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in _BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Block(str(page.relative_to(ROOT)), line, found[1])


@pytest.fixture(params=list(_blocks()), ids=str)
def block(request: pytest.FixtureRequest, kubectl: Kubectl) -> Iterator[Block]:
    """A block; what it makes for the whole cluster is deleted afterwards."""
    block: Block = request.param
    yield block
    kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=block.text)


def test_a_manifest_in_the_docs_is_accepted(namespace: Kubectl, block: Block) -> None:
    for document in yaml.safe_load_all(block.text):
        assert "kind" in document, f"{block}: show whole manifests, so that they can be tried"
    namespace("apply", "--server-side", "-f", "-", stdin=block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    dead = [target for target in targets if target and not (page.parent / target).exists()]
    assert dead == []
