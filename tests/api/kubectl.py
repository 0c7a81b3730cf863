"""kubectl as the tests of this tier use it."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Manifest = Mapping[str, Any]


# It stops at the schema where that is breached, and says so with every such refusal.
_REST_UNCHECKED = "correct the existing errors to complete validation"


class Refused(Exception):
    """kubectl failed; the text is what it said."""

    @property
    def causes(self) -> list[str]:
        """What the API server found wrong with an object, as `field: what`, in its order."""
        text = str(self).partition(" is invalid: ")[2].strip()
        causes = [line.removeprefix("* ").removeprefix("<nil>: ") for line in text.splitlines()]
        return [cause for cause in causes if cause and not cause.endswith(_REST_UNCHECKED)]


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl in one namespace, against the cluster that KUBECONFIG names."""

    namespace: str = "default"

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Output of a command; raises Refused when it fails."""
        command = ["kubectl", "--namespace", self.namespace, "--request-timeout=30s", *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise Refused(done.stderr)
        return done.stdout

    def within(self, namespace: str) -> "Kubectl":
        """The same in another namespace."""
        return replace(self, namespace=namespace)

    def apply(self, manifest: Manifest) -> dict[str, Any]:
        """Apply a manifest on the server's side, as one field manager; the object as it is then."""
        return self._with("apply", manifest, "--server-side", "--field-manager=test")

    def try_create(self, manifest: Manifest) -> dict[str, Any]:
        """The object that would be created; nothing is."""
        return self._with("create", manifest, "--dry-run=server")

    def patch(self, target: str, patch: Any, *options: str) -> dict[str, Any]:
        """Patch an object: by JSON patch when given a list, else by merge."""
        kind = "json" if isinstance(patch, list) else "merge"
        # kubectl reads it as YAML, which knows no surrogate pairs and takes no DEL as it is.
        text = json.dumps(patch, ensure_ascii=False).replace("\x7f", r"\u007f")
        options = (*options, f"--type={kind}", "--patch", text, "-o", "json")
        return _object(self("patch", target, *options))

    def get(self, target: str) -> dict[str, Any]:
        """An object, as `kind/name`, or a list of a kind."""
        return _object(self("get", target, "-o", "json"))

    def _with(self, verb: str, manifest: Manifest, *options: str) -> dict[str, Any]:
        return _object(self(verb, "-f", "-", "-o", "json", *options, stdin=json.dumps(manifest)))


def _object(text: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(text)
    return result
