"""What the operator asks of the API server: six verbs on dicts, and errors that say what to do.

Dicts go in and out, because typed models double the cost of a request. Whatever goes wrong is an
`ApiError`. `kubeapi` is the real thing; tests bring their own.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol
from urllib.parse import quote

from immutablerelease.api.meta import GROUP, VERSION

Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of object and where the API server serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As in an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """URL path of one object, or of the collection when there is no name."""
        parts = ["apis" if self.group else "api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/" + "/".join(parts)


RELEASES: Final = Kind(GROUP, VERSION, "immutablereleases", "ImmutableRelease")
REVISIONS: Final = Kind(GROUP, VERSION, "releaserevisions", "ReleaseRevision")
POLICIES: Final = Kind(GROUP, VERSION, "releasepolicies", "ReleasePolicy", namespaced=False)
ACTIONS: Final = Kind(GROUP, VERSION, "releaseactions", "ReleaseAction")
DEPLOYMENTS: Final = Kind("apps", "v1", "deployments", "Deployment")
DAEMON_SETS: Final = Kind("apps", "v1", "daemonsets", "DaemonSet")
JOBS: Final = Kind("batch", "v1", "jobs", "Job")
SERVICES: Final = Kind("", "v1", "services", "Service")
BUDGETS: Final = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
PODS: Final = Kind("", "v1", "pods", "Pod")
ENDPOINT_SLICES: Final = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
CONFIG_MAPS: Final = Kind("", "v1", "configmaps", "ConfigMap")
SECRETS: Final = Kind("", "v1", "secrets", "Secret")
NAMESPACES: Final = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICE_ACCOUNTS: Final = Kind("", "v1", "serviceaccounts", "ServiceAccount")
EVENTS: Final = Kind("events.k8s.io", "v1", "events", "Event")
HTTP_ROUTES: Final = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
GATEWAYS: Final = Kind("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
GATEWAY_CLASSES: Final = Kind(
    "gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass", namespaced=False
)
VIRTUAL_SERVICES: Final = Kind("networking.istio.io", "v1", "virtualservices", "VirtualService")
DESTINATION_RULES: Final = Kind("networking.istio.io", "v1", "destinationrules", "DestinationRule")
LEASES: Final = Kind("coordination.k8s.io", "v1", "leases", "Lease")


class ApiError(Exception):
    """The API server did not do what it was asked; `message` holds its own words."""

    advice: ClassVar[str] = "read the API server's message"

    def __init__(
        self, message: str, *, about: str = "", code: int = 0, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{about}: {message}" if about else message)
        self.message = message
        self.code = code
        self.retry_after = retry_after


class NotFound(ApiError):
    """There is no such object, or no such kind."""

    advice = "treat the object as gone; if the kind is unknown, install the CRDs"


class AlreadyExists(ApiError):
    """An object of that name is there already."""

    advice = "read the object that is there and check whose it is"


class Conflict(ApiError):
    """The object is not the one, or not the version, that the request was made for."""

    advice = "read the object again and decide anew"


class Forbidden(ApiError):
    """The operator may not do that here."""

    advice = "grant the operator's ServiceAccount the permission that the message names"


class NamespaceGoing(ApiError):
    """The namespace is being deleted: nothing can be created in it any more."""

    advice = "create it in another namespace, or in this one once it is there again"


class Invalid(ApiError):
    """The API server, or an admission policy behind it, refused what the object says."""

    advice = "correct the object; sending it again changes nothing"


class Unavailable(ApiError):
    """The API server gave no usable answer; whether the request took effect is not known."""

    advice = "try again later, not before `retry_after` seconds where it is set"


class Api(Protocol):
    """The API server, as far as the operator needs it."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """One object; `NotFound` when there is none."""

    async def list(self, kind: Kind, namespace: str | None, *, selector: str = "") -> list[Object]:
        """All objects, of one namespace or of all, that a label selector picks."""

    async def apply(
        self, kind: Kind, namespace: str, obj: Object, *, subresource: str = ""
    ) -> Object:
        """Server-side apply as the operator's one field manager, taking over what others hold."""

    async def create(self, kind: Kind, namespace: str, obj: Object) -> Object:
        """Create; `AlreadyExists` when the name is taken."""

    async def replace(self, kind: Kind, namespace: str, obj: Object) -> Object:
        """Replace; `Conflict` unless the object still has the resourceVersion that `obj` names."""

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete; `Conflict` when `uid` is given and another object has the name by now."""
