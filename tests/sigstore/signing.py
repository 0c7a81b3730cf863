"""Everything that the tests judge is signed here, with the real cosign and real services."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.sigstore.cosign import LEGACY, NO_SERVICES, SIGNING_CONFIG, TRUST_ROOT, Cosign
from tests.sigstore.deployment import Sigstore
from tests.sigstore.registries import Registry
from tests.sigstore.world import Image

ALICE = "alice@shop.example"
MALLORY = "mallory@shop.example"
KEY, OTHER_KEY = "alice", "mallory"
REPOSITORY = "https://github.com/shop/app"
COMMIT = "c0ffee" * 6 + "c0ff"
BUILDER = "https://github.com/actions/runner/github-hosted"
_PREDICATE = "provenance.json"
# What is said of an image, once `write_provenance` wrote it down.
PROVENANCE = ("--type", "slsaprovenance1", "--predicate", _PREDICATE)


def known_as(email: str, sigstore: Sigstore, issuer: int = 0) -> tuple[str, ...]:
    """The options of cosign by which somebody signs whom an issuer knows."""
    token = sigstore.issuers[issuer].token(email)
    config = ("--signing-config", SIGNING_CONFIG, "--trusted-root", TRUST_ROOT)
    return (*config, "--identity-token", token)


def write_provenance(cosign: Cosign) -> None:
    """Have cosign find what is said of where an image was built."""
    source = {"uri": f"git+{REPOSITORY}@refs/heads/main", "digest": {"gitCommit": COMMIT}}
    workflow = {"repository": REPOSITORY, "ref": "refs/heads/main", "path": "release.yml"}
    predicate = {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": workflow},
            "resolvedDependencies": [source],
        },
        "runDetails": {"builder": {"id": BUILDER}},
    }
    cosign.path(_PREDICATE).write_text(json.dumps(predicate))


@dataclass(frozen=True)
class Signer:
    """Makes images and signs them."""

    cosign: Cosign
    sigstore: Sigstore
    modern: Registry
    old: Registry
    # Every image has a repository, and content, of its own.
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def images(self) -> Mapping[str, Image]:
        """All of them, by what was done to them."""
        write_provenance(self.cosign)
        return dict([*self._keyless(), *self._keyed(), *self._attested()])

    def _keyless(self) -> Iterator[tuple[str, Image]]:
        alice, mallory = (known_as(email, self.sigstore) for email in (ALICE, MALLORY))
        elsewhere = known_as(ALICE, self.sigstore, issuer=1)
        yield "keyless", self._do("sign", self._image("keyless"), *alice)
        yield "keyless, no referrers", self._do("sign", self._image("keyless", self.old), *alice)
        yield "keyless, cosign v2", self._do("sign", self._image("v2"), *self._legacy(ALICE))
        yield "mallory", self._do("sign", self._image("mallory"), *mallory)
        yield (
            "other issuer",
            self._do("sign", self._image("issuer"), *elsewhere),
        )
        yield "unsigned", self._image("unsigned")

    def _keyed(self) -> Iterator[tuple[str, Image]]:
        key = ("--key", f"{KEY}.key")
        bare = (*key, "--signing-config", NO_SERVICES)
        for name, flags in {"keyed": bare, "keyed, cosign v2": (*key, *LEGACY)}.items():
            yield name, self._do("sign", self._image("keyed"), *flags)
            yield f"{name}, no referrers", self._do("sign", self._image("keyed", self.old), *flags)
        logged = (*key, "--signing-config", SIGNING_CONFIG, "--trusted-root", TRUST_ROOT)
        yield "keyed, logged", self._do("sign", self._image("logged"), *logged)

    def _attested(self) -> Iterator[tuple[str, Image]]:
        alice = known_as(ALICE, self.sigstore)
        only = self._image("attested")
        yield "attested, not signed", self._do("attest", only, *PROVENANCE, *alice)
        for name, registry in {"attested": self.modern, "attested, no referrers": self.old}.items():
            image = self._do("sign", self._image("attested", registry), *alice)
            yield name, self._do("attest", image, *PROVENANCE, *alice)
        image = self._do("sign", self._image("attested"), "--key", f"{KEY}.key", *LEGACY)
        old = ("--key", f"{KEY}.key", *LEGACY)
        yield "attested, cosign v2", self._do("attest", image, *PROVENANCE, *old)

    def _legacy(self, email: str) -> tuple[str, ...]:
        return (
            *LEGACY,
            *("--fulcio-url", self.sigstore.url("fulcio")),
            *("--timestamp-server-url", self.sigstore.url("tsa")),
            *("--trusted-root", TRUST_ROOT),
            *("--identity-token", self.sigstore.issuers[0].token(email)),
        )

    def _do(self, command: str, image: Image, *flags: str) -> Image:
        self.cosign.put(command, str(image), *flags)
        return image

    def _image(self, kind: str, registry: Registry | None = None) -> Image:
        registry = registry or self.modern
        repository = f"shop/{kind}-{next(self.numbers)}"
        return Image(registry, repository, registry.push_image(repository, repository.encode()))
