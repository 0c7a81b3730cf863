"""Real services sign; then they end, and what they signed is judged by itself.

So nothing that a test asks can come from a service: only the registries are there.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from devcluster.toolchain import tools
from tests.sigstore.authorities import Keyless
from tests.sigstore.cosign import TRUST_ROOT, Cosign
from tests.sigstore.deployment import (
    TOOLS,
    Sigstore,
    deployed,
    write_signing_configs,
    write_trust_root,
)
from tests.sigstore.registries import with_referrers, without_referrers
from tests.sigstore.signing import ALICE, KEY, OTHER_KEY, Signer
from tests.sigstore.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything, signed."""
    tools([*TOOLS, "cosign", "registry", "registry-with-referrers"])
    folder = tmp_path_factory.mktemp("sigstore")
    with ExitStack() as registries:
        modern = registries.enter_context(with_referrers(folder / "modern"))
        old = registries.enter_context(without_referrers(folder / "old"))
        cosign = Cosign(folder)
        # Of the foreign one only the keys are wanted.
        with deployed(folder / "foreign") as foreign:
            pass
        with deployed(folder / "trusted", issuers=2) as sigstore:
            write_signing_configs(cosign, sigstore)
            roots = _roots(cosign, sigstore, foreign)
            keys = {f"{name}.pub": cosign.key_pair(name) for name in (KEY, OTHER_KEY)}
            images = Signer(cosign, sigstore, modern, old).images()
        first, second = (issuer.url for issuer in sigstore.issuers)
        yield World(cosign, images, roots, (first, second), keys)


@pytest.fixture
def alice(world: World) -> Keyless:
    """Whoever signs the releases, to the issuer that is trusted."""
    return Keyless(world.issuers[0], ALICE)


def _roots(cosign: Cosign, trusted: Sigstore, foreign: Sigstore) -> dict[str, str]:
    """The trust root, a foreign one, and one for each service in which only that is foreign."""
    mixed = {
        f"foreign_{name}.json": {**trusted.parts, name: foreign.parts[name]}
        for name in trusted.parts
    }
    all_parts = {TRUST_ROOT: trusted.parts, "foreign.json": foreign.parts, **mixed}
    return {name: write_trust_root(cosign, parts, name) for name, parts in all_parts.items()}
