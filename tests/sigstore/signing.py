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
        self._write_provenance()
        return dict([*self._keyless(), *self._keyed(), *self._attested()])

    def _keyless(self) -> Iterator[tuple[str, Image]]:
        alice = self._as(ALICE)
        yield "keyless", self._do("sign", self._image("keyless"), *alice)
        yield "keyless, no referrers", self._do("sign", self._image("keyless", self.old), *alice)
        yield "keyless, cosign v2", self._do("sign", self._image("v2"), *self._legacy(ALICE))
        yield "mallory", self._do("sign", self._image("mallory"), *self._as(MALLORY))
        yield "other issuer", self._do("sign", self._image("issuer"), *self._as(ALICE, 1))
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
        says = ("--type", "slsaprovenance1", "--predicate", _PREDICATE)
        alice = self._as(ALICE)
        only = self._image("attested")
        yield "attested, not signed", self._do("attest", only, *says, *alice)
        for name, registry in {"attested": self.modern, "attested, no referrers": self.old}.items():
            image = self._do("sign", self._image("attested", registry), *alice)
            yield name, self._do("attest", image, *says, *alice)
        image = self._do("sign", self._image("attested"), "--key", f"{KEY}.key", *LEGACY)
        old = ("--key", f"{KEY}.key", *LEGACY)
        yield "attested, cosign v2", self._do("attest", image, *says, *old)

    def _as(self, email: str, issuer: int = 0) -> tuple[str, ...]:
        token = self.sigstore.issuers[issuer].token(email)
        config = ("--signing-config", SIGNING_CONFIG, "--trusted-root", TRUST_ROOT)
        return (*config, "--identity-token", token)

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

    def _write_provenance(self) -> None:
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
        self.cosign.path(_PREDICATE).write_text(json.dumps(predicate))
