"""What a person finds in the sandbox, and what an earlier start left there."""

from pathlib import Path

import pytest
import yaml

from demo.images import Image, ImageMaker, Key
from demo.sandbox import ROOT, kept_key, welcome, write_manifest

IMAGE = Image("127.0.0.1:5000/immutable-release/shop:v1", f"sha256:{'0' * 64}")


class Maker(ImageMaker):
    """Makes keys that are easily told apart."""

    made = 0

    def __init__(self, scratch: Path) -> None:
        self._folder = scratch

    def key(self, name: str) -> Key:
        self.made += 1
        private, public = self._folder / f"{name}.key", self._folder / f"{name}.pub"
        private.write_text("private")
        public.write_text(f"public {self.made}")
        return Key(private, public.read_text())


def test_a_key_is_made_once_so_that_what_was_released_stays_verified(tmp_path: Path) -> None:
    first = kept_key(Maker(tmp_path), tmp_path, "team")
    assert kept_key(Maker(tmp_path), tmp_path, "team") == first
    (tmp_path / "team.pub").unlink()
    maker = Maker(tmp_path)
    kept_key(maker, tmp_path, "team")
    assert maker.made == 1, "half a pair is none"


def test_a_manifest_that_somebody_changed_stays(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, IMAGE)
    assert yaml.safe_load(path.read_text())["metadata"]["name"] == "shop"
    path.write_text("mine")
    assert write_manifest(tmp_path, IMAGE).read_text() == "mine"


@pytest.mark.parametrize("words", ["make shell", "kubectl apply -f build/sandbox/shop.yaml"])
def test_the_first_steps_are_told_with_paths_from_the_root(words: str) -> None:
    folder = ROOT / "build" / "sandbox"
    assert words in welcome(folder / "shop.yaml", Key(folder / "team.key", ""), IMAGE)
