"""Images of the app, one per version, and signatures on them by the real cosign.

Versions differ in the environment baked into them, and so in their digests. Keys are made for each
run: nothing signed yesterday is trusted today.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from devcluster import tool
from devcluster.images import build_app_image, go_build

from .errors import DemoError

APP = Path(__file__).parent / "app"
REPOSITORY = "immutable-release/shop"
TIMEOUT = 60.0


class SigningFailed(DemoError):
    """Cosign did not sign; says what it said."""


class Layout(StrEnum):
    """How cosign stores a signature."""

    BUNDLE = "bundle"  # cosign v3
    SIMPLE = "simple"  # cosign v2


@dataclass(frozen=True)
class Key:
    """A key pair of cosign."""

    private: Path
    public_pem: str


@dataclass(frozen=True)
class Image:
    """An image in a registry."""

    ref: str
    digest: str

    @property
    def repository(self) -> str:
        """The reference without its tag."""
        return self.ref.rpartition(":")[0]

    @property
    def pinned(self) -> str:
        """The image by digest."""
        return f"{self.repository}@{self.digest}"


class ImageMaker:
    """Builds, pushes and signs; `scratch` holds keys and cosign's settings."""

    def __init__(
        self,
        scratch: Path,
        registry: str,
        run: str,
        repository: str = REPOSITORY,
        cluster: str = "iro",
    ) -> None:
        """`cluster` is the name of the local one whose registry it is."""
        scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = scratch
        self._registry = registry
        self._repository = repository
        # Baked in with the tag, so that no two images are one, nor one that an earlier run signed.
        self._run = run
        self._cluster = cluster
        self._settings = scratch / "signing-config.json"

    def build(self, tag: str, env: Mapping[str, str], registry: str | None = None) -> Image:
        """Push the image of one version; its tag is its version unless `env` has another."""
        ref = f"{registry or self._registry}/{self._repository}:{tag}"
        pinned = build_app_image(
            ref,
            {"/app": go_build(APP, "demo-app")},
            entrypoint=["/app"],
            env={"VERSION": tag, "RUN": f"{self._run}/{tag}", **env},
            cluster=self._cluster,
        )
        return Image(ref, pinned.rpartition("@")[2])

    def key(self, name: str) -> Key:
        """A new key pair."""
        prefix = self._scratch / name
        for suffix in (".key", ".pub"):
            prefix.with_suffix(suffix).unlink(missing_ok=True)
        self._cosign("generate-key-pair", "--output-key-prefix", str(prefix))
        return Key(prefix.with_suffix(".key"), prefix.with_suffix(".pub").read_text())

    def sign(self, image: Image, key: Key, layout: Layout = Layout.BUNDLE) -> None:
        """Sign by digest, without a transparency log and without asking anybody else."""
        self._cosign("sign", "--yes", "--key", str(key.private), *self._how(layout), image.pinned)

    def _how(self, layout: Layout) -> list[str]:
        common = ["--allow-http-registry"]
        if layout is Layout.SIMPLE:
            return [
                *common,
                "--new-bundle-format=false",
                "--use-signing-config=false",
                "--tlog-upload=false",
            ]
        if not self._settings.exists():
            # A configuration that names no service: cosign then asks none.
            self._cosign("signing-config", "create", "--out", str(self._settings))
        return [*common, "--signing-config", str(self._settings)]

    def _cosign(self, *arguments: str) -> None:
        result = subprocess.run(
            [str(tool("cosign")), *arguments],
            env={**os.environ, "COSIGN_PASSWORD": "", "COSIGN_YES": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        if result.returncode != 0:
            raise SigningFailed(f"cosign {arguments[0]} failed: {result.stderr.strip()[-400:]}")
