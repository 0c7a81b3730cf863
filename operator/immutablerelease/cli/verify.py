"""`kubectl immutable verify`: would this image be let in, without asking a cluster?

The operator's own verifier answers, by policies from files, so that a pipeline learns what the
cluster would say before anything is applied.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from immutablerelease.api.policy import Policy
from immutablerelease.verification.access import Access
from immutablerelease.verification.errors import VerificationError
from immutablerelease.verification.verdict import ImageUse, Verdict
from immutablerelease.verification.verifier import Verifier

EXIT_CODES: Mapping[str, int] = {"Verified": 0, "Refused": 1, "Unknown": 3}
BAD_CALL = 2


class BadInput(Exception):
    """What was given cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Answer:
    """What was found about one image."""

    image: str
    digest: str
    verdict: Verdict

    def wire(self) -> dict[str, Any]:
        """For programs."""
        return {
            "image": self.image,
            "digest": self.digest,
            "verdict": self.verdict.verdict,
            "reason": str(self.verdict.reason),
            "message": self.verdict.message,
            "evidence": [item.wire() for item in self.verdict.evidence],
        }


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "verify",
        help="say whether policies would let an image run, and who signed it",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", help="image, by tag or by digest")
    parser.add_argument(
        "--policy",
        metavar="FILE",
        action="append",
        required=True,
        type=Path,
        help="file with ReleasePolicies; may be given several times, all must hold",
    )
    parser.add_argument(
        "-n", "--namespace", default="default", help="namespace that the image would run in"
    )
    parser.add_argument(
        "--namespace-label",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="label of that namespace, for policies that select by labels",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Verify and print; the exit code is the answer."""
    try:
        policies = [policy for path in arguments.policy for policy in read_policies(path)]
        labels = _labels(arguments.namespace_label)
        answer = asyncio.run(ask(arguments.image, policies, arguments.namespace, labels))
    except BadInput as error:
        print(f"kubectl immutable verify: {error}", file=sys.stderr)
        return BAD_CALL
    if arguments.output == "json":
        print(json.dumps(answer.wire(), indent=2))
    else:
        print("\n".join(_lines(answer)))
    return EXIT_CODES[answer.verdict.verdict]


def read_policies(path: Path) -> list[Policy]:
    """The ReleasePolicies of a file of YAML documents; raises BadInput."""
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    found = [_policy(path, document) for document in documents if _is_policy(document)]
    if not found:
        raise BadInput(f"{path} holds no ReleasePolicy")
    return found


async def ask(
    image: str, policies: Sequence[Policy], namespace: str, labels: Mapping[str, str]
) -> Answer:
    """Resolve the image and have the operator's verifier judge it."""
    access = Access.allowed_by(
        policies,
        namespace=namespace,
        namespace_labels=labels,
        credentials=list(_docker_config()),
    )
    async with Verifier(clock=time.monotonic) as verifier:
        try:
            resolved = await verifier.resolve(image, access)
        except VerificationError as error:
            verdict = Verdict(error.verdict, error.reason, error.diagnostics())
            return Answer(image, "", verdict)
        verdict = await verifier.verify(
            [ImageUse("image", False, resolved.image)],
            policies,
            namespace=namespace,
            namespace_labels=labels,
            access=access,
        )
    return Answer(image, resolved.digest, verdict)


def _is_policy(document: object) -> bool:
    return isinstance(document, Mapping) and document.get("kind") == "ReleasePolicy"


def _policy(path: Path, document: Mapping[str, Any]) -> Policy:
    try:
        return Policy.read(document)
    except KeyError as error:
        raise BadInput(f"{path}: a ReleasePolicy lacks {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{path}: spec.{where}: {first['msg']}") from error


def _labels(texts: Sequence[str]) -> dict[str, str]:
    labels = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f"--namespace-label must look like key=value (got {text!r})")
        labels[key] = value
    return labels


def _docker_config() -> Iterator[Mapping[str, Any]]:
    """Credentials of the user's own `docker login`, where there are any."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(config, Mapping):
        yield config


def _lines(answer: Answer) -> Iterator[str]:
    verdict = answer.verdict
    yield f"{verdict.verdict:10} {answer.image}"
    if answer.digest:
        yield f"{'digest':10} {answer.digest}"
    yield f"{'reason':10} {verdict.reason}"
    for line in verdict.message.splitlines():
        yield f"{'':10} {line}"
    for item in verdict.evidence:
        yield f"{'signed by':10} {item.authority}, {item.signer}"
        yield f"{'':10} as policy {item.policy} wants, {item.format} {item.signature}"
