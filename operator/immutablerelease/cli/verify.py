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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from immutablerelease.api.policy import Policy
from immutablerelease.core.evidence import proof
from immutablerelease.verification.access import Access
from immutablerelease.verification.errors import VerificationError
from immutablerelease.verification.matching import matches_image, matches_namespace
from immutablerelease.verification.reference import parse_reference
from immutablerelease.verification.verdict import ImageUse, Reason, Verdict
from immutablerelease.verification.verifier import Verifier

from .documents import BadInput, Given, read_files

EXIT_CODES: Mapping[str, int] = {"Verified": 0, "Refused": 1, "Unknown": 3}
BAD_CALL = 2


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
            "source": asdict(self.verdict.source) if self.verdict.source else None,
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
        help="file with ReleasePolicies, and with the Secrets and ConfigMaps that they refer to; "
        "may be given several times, all policies must hold",
    )
    parser.add_argument(
        "--operator-namespace",
        default="immutable-release-system",
        help="namespace whose Secrets and ConfigMaps policies refer to: the operator's own",
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
        given = read_files(arguments.policy, arguments.operator_namespace)
        labels = _labels(arguments.namespace_label)
        answer = asyncio.run(ask(arguments.image, given, arguments.namespace, labels))
    except BadInput as error:
        print(_plain(f"kubectl immutable verify: {error}"), file=sys.stderr)
        return BAD_CALL
    if arguments.output == "json":
        print(json.dumps(answer.wire(), indent=2))
    else:
        print("\n".join(map(_plain, _lines(answer))))
    return EXIT_CODES[answer.verdict.verdict]


async def ask(image: str, given: Given, namespace: str, labels: Mapping[str, str]) -> Answer:
    """Resolve the image and have the operator's verifier judge it.

    Raises:
        BadInput: a policy that speaks of the image refers to what was not given.
    """
    policies = given.policies
    access = Access.allowed_by(
        policies,
        namespace=namespace,
        namespace_labels=labels,
        credentials=list(_docker_config()),
    )
    async with Verifier(clock=time.monotonic) as verifier:
        try:
            speaking = _speaking(policies, image, namespace, labels)
            if not speaking:
                return Answer(image, "", _unspoken(image, namespace))
            trust = given.trust(speaking)
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
            trust=trust,
        )
    return Answer(image, resolved.digest, verdict)


def _speaking(
    policies: Sequence[Policy], image: str, namespace: str, labels: Mapping[str, str]
) -> list[Policy]:
    """The policies that speak of the image; raises InvalidReference."""
    name = parse_reference(image).name
    return [
        policy
        for policy in policies
        if matches_namespace(policy.spec, namespace, labels) and matches_image(policy.spec, name)
    ]


def _unspoken(image: str, namespace: str) -> Verdict:
    """Said before the registry is asked: how it is reached is said by policies too."""
    return Verdict(
        "Refused",
        Reason.NO_POLICY,
        f"none of the policies given speaks of {parse_reference(image).name} in namespace "
        f"{namespace}; name another one with -n, or correct `spec.match`",
    )


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
    yield f"{verdict.verdict:11} {answer.image}"
    if answer.digest:
        yield f"{'digest':11} {answer.digest}"
    yield f"{'reason':11} {verdict.reason}"
    for line in verdict.message.splitlines():
        yield f"{'':11} {line}"
    if verdict.source is not None:
        yield f"{'source':11} {verdict.source.repository} at {verdict.source.commit}"
    for item in verdict.evidence:
        did = f"{'attested' if item.predicate_type else 'signed'} by"
        yield f"{did:11} {item.authority}, {proof(item)}"
        yield f"{'':11} as policy {item.policy} wants, {item.format} {item.signature}"


def _plain(line: str) -> str:
    """Names come from strangers: none of them may move the cursor or turn the text around."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in line
    )
