"""The stage: what all scenes share, set up before the first and put away after the last."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import manifests
from .images import Image, ImageMaker, Key
from .kube import Kube, Object, wait_for
from .operator_process import OperatorProcess, install_chart, write_kubeconfig
from .place import registry, require_reachable
from .releases import ReleaseView, RevisionView
from .timeline import Timeline
from .traffic import Traffic

NAMESPACE = "demo"
RELEASE = "shop"
POLICY = "demo"
REPLICAS = 2
DELETE_TIMEOUT = 60.0

# Who has a key; the policy trusts the team alone.
SIGNERS = ("team", "stranger")

# Seconds after its first visitor until v4 answers 500, and until v5 exits.
FAIL_AFTER = 15
CRASH_AFTER = 4


@dataclass(frozen=True)
class Version:
    """A version of the shop: how it behaves and who signs it."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    signer: str | None = "team"


VERSIONS = (
    Version("v1"),
    Version("v2"),
    Version("v3-unsigned", signer=None),
    Version("v3-foreign", signer="stranger"),
    Version("v4", {"FAIL_AFTER": str(FAIL_AFTER)}),
    Version("v5", {"CRASH_AFTER": str(CRASH_AFTER), "STATE_DIR": "/state"}),
    Version("v6"),
)


@dataclass
class Stage:
    """What a scene acts upon."""

    kube: Kube
    operator: OperatorProcess
    release: ReleaseView
    timeline: Timeline
    images: Mapping[str, Image]
    scratch: Path
    exits: ExitStack
    traffic: Traffic | None = None

    def apply(self, version: str) -> RevisionView:
        """Change one line of the manifest, as a developer would, and see its revision recorded."""
        image = self.images[version]
        self.timeline.say("developer", f"kubectl apply: image {image.ref}")
        self.kube.apply(manifest(image))
        return self.release.await_revision(image.digest)

    def open_doors(self) -> Traffic:
        """From now on users come, until the end."""
        traffic = Traffic(self.release.address(), self.scratch)
        self.exits.callback(traffic.stop)
        self.traffic = traffic
        traffic.await_answers()
        self.timeline.follow(traffic.since)
        return traffic

    @property
    def users(self) -> Traffic:
        """The users, who came with the first version."""
        assert self.traffic is not None  # noqa: S101 (the first scene opens the doors)
        return self.traffic


def manifest(image: Image) -> Object:
    """The shop, at the image by its tag: the operator finds the digest."""
    return manifests.release(RELEASE, NAMESPACE, manifests.template(image.ref), replicas=REPLICAS)


@contextmanager
def set_up(scratch: Path, tell: Callable[[str], None]) -> Iterator[Stage]:
    """The stage, ready for the first scene; all that runs ends with it, the namespace stays."""
    kube = Kube()
    entrance = kube.get("Service", "kubernetes", "default")["spec"]["clusterIP"]
    require_reachable(entrance, 443)
    with ExitStack() as exits, tempfile.TemporaryDirectory(prefix="demo-") as secrets:
        tell("removing what an earlier demo left")
        kube.delete("Namespace", NAMESPACE)
        images = _signed_images(Path(secrets), tell)
        tell("installing the chart with helm: CRDs, roles, admission policies")
        install_chart()
        kubeconfig = write_kubeconfig(kube, Path(secrets) / "operator.kubeconfig")
        _await_deletion(kube)
        tell("starting the operator with the chart's ServiceAccount")
        operator = OperatorProcess(kubeconfig, scratch / "operator.log")
        exits.callback(operator.stop)
        operator.start()
        kube.apply(manifests.namespace(NAMESPACE))
        kube.apply(images.policy)
        release = ReleaseView(kube, NAMESPACE, RELEASE)
        timeline = Timeline(release, images.label)
        exits.callback(timeline.stop)
        timeline.start()
        yield Stage(kube, operator, release, timeline, images.by_version, scratch, exits)


@dataclass(frozen=True)
class Images:
    """All images, and the policy that trusts the team's key."""

    by_version: Mapping[str, Image]
    policy: Object

    def label(self, revision: RevisionView) -> str:
        """The version that a revision runs."""
        for version, image in self.by_version.items():
            if any(item.endswith(image.digest) for item in revision.images):
                return version.partition("-")[0]
        return revision.name


def _signed_images(secrets: Path, tell: Callable[[str], None]) -> Images:
    address = registry()
    maker = ImageMaker(secrets, address, run=f"{time.time():.3f}")
    keys = {name: maker.key(name) for name in SIGNERS}
    images = make_images(maker, keys, tell)
    trusted = {"team": keys["team"].public_pem}
    return Images(images, manifests.policy(POLICY, trusted, [address], [NAMESPACE]))


def make_images(
    maker: ImageMaker, keys: Mapping[str, Key], tell: Callable[[str], None]
) -> Mapping[str, Image]:
    """Every version, built, pushed and signed as it says, by its name."""
    images = {}
    for version in VERSIONS:
        signature = f"signed by {version.signer}" if version.signer else "not signed"
        tell(f"building {version.name}: {signature}")
        env = {**version.env, "VERSION": version.name.partition("-")[0]}
        images[version.name] = image = maker.build(version.name, env)
        if version.signer:
            maker.sign(image, keys[version.signer])
    return images


def _await_deletion(kube: Kube) -> None:
    def look() -> tuple[bool | None, str]:
        gone = kube.find("Namespace", NAMESPACE) is None
        return gone or None, "it is still there"

    wait_for(f"namespace {NAMESPACE} of an earlier demo to be gone", look, DELETE_TIMEOUT)
