"""What somebody with all rights may try on a running release, by the commands that they would use.

Every attempt must be refused by an admission policy; any other failure, such as a name that does
not exist, would prove nothing and counts as unmet.
"""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .errors import Unmet
from .manifests import RELEASE_LABEL, REVISION_LABEL
from .releases import ReleaseView

TIMEOUT = 30.0
_DENIED = re.compile(r"ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request: (.*)")


@dataclass(frozen=True)
class Target:
    """What is attacked: names that exist, so that nothing but a policy can refuse."""

    namespace: str
    release: str
    revision: str
    pod: str
    image: str


@dataclass(frozen=True)
class Attempt:
    """One command of kubectl."""

    title: str
    arguments: Callable[[Target], Sequence[str]]

    def refusal(self, release: ReleaseView, revision: str, image: str) -> str:
        """Try it; the message with which it was refused."""
        pod = release.pods(revision)[0]["metadata"]["name"]
        target = Target(release.namespace, release.name, revision, pod, image)
        arguments = ["kubectl", "--namespace", target.namespace, *self.arguments(target)]
        result = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        output = " ".join((result.stdout + result.stderr).split())
        denied = _DENIED.search(output)
        if result.returncode == 0 or denied is None:
            raise Unmet(
                f"`{' '.join(arguments)}` to be refused by an admission policy",
                f"exit code {result.returncode}: {output[:300]}",
            )
        return denied.group(1)


def _set_image(target: Target) -> Sequence[str]:
    return ["set", "image", f"deployment/{target.revision}", f"web={target.image}"]


def _scale(target: Target) -> Sequence[str]:
    return ["scale", f"deployment/{target.revision}", "--replicas=0"]


def _edit_pod(target: Target) -> Sequence[str]:
    return ["set", "image", f"pod/{target.pod}", f"web={target.image}"]


def _exec(target: Target) -> Sequence[str]:
    return ["exec", target.pod, "--", "/app"]


def _run(target: Target) -> Sequence[str]:
    labels = f"{RELEASE_LABEL}={target.release},{REVISION_LABEL}={target.revision}"
    return ["run", "intruder", f"--image={target.image}", f"--labels={labels}"]


def _move_service(target: Target) -> Sequence[str]:
    patch = {"spec": {"selector": {REVISION_LABEL: "somewhere-else"}}}
    return ["patch", "service", target.release, "--type=merge", f"--patch={json.dumps(patch)}"]


ATTEMPTS = (
    Attempt("set the image of the Deployment", _set_image),
    Attempt("scale the Deployment", _scale),
    Attempt("edit the image of a Pod", _edit_pod),
    Attempt("kubectl exec into a Pod", _exec),
    Attempt("run a Pod with the release's labels", _run),
    Attempt("edit the Service's selector", _move_service),
)
