"""The pinned tools: which Go program each is, and how it is linked.

Versions live in `tools/<group>/go.mod`, one module per group so that their dependencies never have
to agree. This file only names the packages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

GROUPS = Path(__file__).parent / "tools"

_KUBERNETES_VERSION = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Recipe:
    """How one tool is built."""

    name: str
    group: str
    # Empty: nothing is built, only the data of the module is wanted.
    package: str
    module: str
    # Without its version variables the API server calls itself v0.0.0 and clients misjudge it.
    stamps_version: bool = False
    # Files of the module that are needed beside the program, by folder inside the module.
    data: tuple[str, ...] = ()
    # No cluster needs it: it is built when it is named, and not with all the others.
    by_name_only: bool = False

    @property
    def source(self) -> Path:
        """The folder of the go.mod that pins it."""
        return GROUPS / self.group

    def linker_flags(self, version: str) -> str:
        """What the linker is told: no symbols, and the version where the program wants one."""
        if not self.stamps_version:
            return "-s -w"
        major, minor = version.removeprefix("v").split(".")[:2]
        stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
        variables = [f"-X {_KUBERNETES_VERSION}.{key}={value}" for key, value in stamps.items()]
        return " ".join(["-s", "-w", *variables])


def _kubernetes(name: str) -> Recipe:
    module = "k8s.io/kubernetes"
    return Recipe(name, "kubernetes", f"{module}/cmd/{name}", module, stamps_version=True)


_CRANE = "github.com/google/go-containerregistry"
_DISTRIBUTION = "github.com/distribution/distribution/v3"
_COSIGN = "github.com/sigstore/cosign/v3"
_FULCIO = "github.com/sigstore/fulcio"
_TIMESTAMPS = "github.com/sigstore/timestamp-authority/v2"
_REKOR = "github.com/sigstore/rekor-tiles/v2"
_ARGO_ROLLOUTS = "github.com/argoproj/argo-rollouts"
_FLAGGER = "github.com/fluxcd/flagger"
_GATEWAY_API = "sigs.k8s.io/gateway-api"
_ISTIO = "istio.io/api"
_KWOK_STAGES = tuple(
    f"kustomize/stage/{part}" for part in ("node/fast", "node/heartbeat", "pod/fast")
)

_ALL = (
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubectl"),
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    Recipe("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    Recipe("crane", "registry", f"{_CRANE}/cmd/crane", _CRANE),
    Recipe("registry-with-referrers", "registry", ".", _CRANE),
    Recipe("registry", "distribution", f"{_DISTRIBUTION}/cmd/registry", _DISTRIBUTION),
    Recipe("cosign", "cosign", f"{_COSIGN}/cmd/cosign", _COSIGN),
    Recipe(
        "kwok",
        "kwok",
        "sigs.k8s.io/kwok/cmd/kwok",
        "sigs.k8s.io/kwok",
        data=_KWOK_STAGES,
    ),
    Recipe("helm", "helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4"),
    Recipe("gateway-api", "gateway-api", "", _GATEWAY_API, data=("config/crd/standard",)),
    # Its kinds alone, for tests of the objects written for it: no cluster has them by itself.
    Recipe("istio", "istio", "", _ISTIO, data=("kubernetes",)),
    # A Sigstore on this machine, for tests of keyless signatures.
    Recipe("fulcio", "fulcio", _FULCIO, _FULCIO, by_name_only=True),
    Recipe("timestamp-server", "timestamp", ".", _TIMESTAMPS, by_name_only=True),
    Recipe("rekor-server", "rekor", f"{_REKOR}/cmd/rekor-server/posix", _REKOR, by_name_only=True),
    # Those that the bench measures beside us.
    Recipe(
        "argo-rollouts",
        "argo-rollouts",
        f"{_ARGO_ROLLOUTS}/cmd/rollouts-controller",
        _ARGO_ROLLOUTS,
        data=("manifests/crds",),
        by_name_only=True,
    ),
    Recipe(
        "flagger",
        "flagger",
        f"{_FLAGGER}/cmd/flagger",
        _FLAGGER,
        data=("artifacts/flagger",),
        by_name_only=True,
    ),
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
USUAL: tuple[str, ...] = tuple(recipe.name for recipe in _ALL if not recipe.by_name_only)

_CONTROL_PLANE = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "gateway-api",
)
_NODE = ("kubelet", "kube-proxy", "crane", "registry", "registry-with-referrers")

NEEDED: dict[str, tuple[str, ...]] = {
    "api": (*_CONTROL_PLANE, "kwok"),
    "full": (*_CONTROL_PLANE, *_NODE),
}
