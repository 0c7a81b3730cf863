"""The real cosign, in a folder of its own, with nothing of the machine's and no way to the net."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import devcluster

_SECONDS = 60
TRUST_ROOT = "trusted_root.json"
SIGNING_CONFIG = "signing_config.json"
NO_SERVICES = "no_services.json"
# The layout of cosign v2; it asks services by their URLs, not by a signing configuration.
LEGACY = ("--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false")


@dataclass(frozen=True)
class Run:
    """What came of a command."""

    code: int
    output: str

    @property
    def ok(self) -> bool:
        return self.code == 0


@dataclass(frozen=True)
class Cosign:
    """Runs in its folder; arguments name files there."""

    home: Path

    def ask(self, *arguments: str) -> Run:
        """Run it, whatever comes of it."""
        done = subprocess.run(
            [str(devcluster.tool("cosign")), *arguments],
            cwd=self.home,
            env={
                "HOME": str(self.home),
                "PATH": os.environ["PATH"],
                "COSIGN_PASSWORD": "",
                # It asks a public mirror for roots first: a proxy that is not there ends that.
                "HTTPS_PROXY": "http://127.0.0.1:9",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    def do(self, *arguments: str) -> str:
        """Run it; it must succeed."""
        run = self.ask(*arguments)
        assert run.ok, f"cosign {' '.join(arguments)}\n{run.output}"
        return run.output

    def put(self, command: str, image: str, *arguments: str) -> None:
        """Sign or attest an image."""
        self.do(command, "--yes", "--allow-http-registry", *arguments, image)

    def accepts(self, command: str, image: str, *arguments: str) -> Run:
        """Verify an image, or what was attested of it."""
        return self.ask(command, "--allow-http-registry", *arguments, image)

    def key_pair(self, name: str) -> str:
        """Make a key pair; the public key, PEM."""
        self.do("generate-key-pair", "--output-key-prefix", name)
        return (self.home / f"{name}.pub").read_text()

    def path(self, name: str) -> Path:
        """A file in its folder."""
        return self.home / name
