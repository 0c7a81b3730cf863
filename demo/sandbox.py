"""A place to try things by hand: an operator that keeps running, a policy, signed images.

Nothing is taken away at the end but the operator: what was released goes on serving, and the next
start finds it, with the same keys.
"""

import shlex
from collections.abc import Callable
from pathlib import Path

import yaml

from . import manifests
from .images import Image, ImageMaker, Key
from .kube import Kube
from .operator_process import OperatorFailed, OperatorProcess, install_chart, write_kubeconfig
from .place import registry
from .stage import FAIL_AFTER, RELEASE, REPLICAS, SIGNERS, VERSIONS, make_images

ROOT = Path(__file__).parent.parent
NAME = "sandbox"


def keep(folder: Path, tell: Callable[[str], None]) -> None:
    """Set it up in `folder` and keep the operator running until interrupted.

    Raises:
        DemoError: it cannot be set up, or the operator has ended by itself.
    """
    kube = Kube()
    maker = ImageMaker(folder, registry(), run=NAME)
    keys = {name: kept_key(maker, folder, name) for name in SIGNERS}
    images = make_images(maker, keys, tell)
    tell("installing the chart with helm: CRDs, roles, admission policies")
    install_chart()
    kubeconfig = write_kubeconfig(kube, folder / "operator.kubeconfig")
    tell("starting the operator with the chart's ServiceAccount")
    operator = OperatorProcess(kubeconfig, folder / "operator.log")
    try:
        operator.start()
        trusted = {"team": keys["team"].public_pem}
        policy = manifests.policy(NAME, trusted, [registry()], [NAME])
        namespace = manifests.namespace(NAME)
        first = images[VERSIONS[0].name]
        for manifest in (namespace, policy):
            kube.apply(manifest)
        path = write_manifest(folder, first)
        print(welcome(path, keys["team"], first), flush=True)
        operator.wait()
        raise OperatorFailed(f"the operator has ended by itself; see {operator.log}")
    finally:
        operator.stop()


def kept_key(maker: ImageMaker, folder: Path, name: str) -> Key:
    """The key pair of an earlier start, or a new one: what was released stays verified."""
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    if private.exists() and public.exists():
        return Key(private, public.read_text(encoding="utf-8"))
    return maker.key(name)


def write_manifest(folder: Path, image: Image) -> Path:
    """The release to begin with, unless somebody has one there already."""
    path = folder / f"{RELEASE}.yaml"
    if not path.exists():
        release = manifests.release(RELEASE, NAME, manifests.template(image.ref), replicas=REPLICAS)
        path.write_text(yaml.safe_dump(release, sort_keys=False), encoding="utf-8")
    return path


def welcome(manifest: Path, key: Key, image: Image) -> str:
    """What is there and how to use it; paths as seen from the root of the repository."""
    folder = shlex.quote(str(manifest.parent.relative_to(ROOT)))
    tags = ", ".join(version.name for version in VERSIONS)
    return f"""
The operator runs until Ctrl-C. Its log: {folder}/operator.log

In a second terminal, a shell inside the cluster:  make shell
  kubectl config set-context --current --namespace={NAME}
  kubectl apply -f {folder}/{manifest.name}
  kubectl immutable status {RELEASE} --watch

Release another image: change the tag in {folder}/{manifest.name} and apply it again
  {image.repository}:TAG, TAG one of {tags}
  v3-* are refused; v4 fails {FAIL_AFTER} s after its first visitor, v5 crashes

Be a visitor
  curl http://$(kubectl get service {RELEASE} -o jsonpath={{.spec.clusterIP}})/

Sign one yourself, by the key that the policy {NAME} trusts
  COSIGN_PASSWORD= cosign sign --key {folder}/{key.private.name} --allow-http-registry \\
    --signing-config {folder}/signing-config.json \\
    {image.repository}@$(crane digest --insecure {image.repository}:v3-unsigned)
  kubectl immutable retry {RELEASE}
"""
