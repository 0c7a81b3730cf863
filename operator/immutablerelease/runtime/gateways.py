"""Gateways and their classes, read at the moment that they are needed.

They are few and belong to others. Nothing is decided by them: they say where to ask for a proof and
what may be asked of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from immutablerelease.api.objects import Release
from immutablerelease.api.traffic import GatewayRoute, ParentReference
from immutablerelease.traffic.gateway import MIRRORING
from immutablerelease.traffic.listeners import Door, Namespace, Shut, doors
from immutablerelease.traffic.proof import Question

from .client import GATEWAY_CLASSES, GATEWAYS, Api, ApiError, NotFound

Object = Mapping[str, Any]


class Gateways:
    """What the parents of HTTPRoutes say of themselves."""

    def __init__(self, api: Api, labels: Callable[[str], Mapping[str, str]]) -> None:
        """`labels` gives those of a namespace."""
        self._api = api
        self._labels = labels

    async def doors(self, question: Question) -> tuple[Door, ...]:
        """Where to ask; none for a mesh, whose proxies are beside its clients.

        Raises:
            Shut: A Gateway is missing or takes no request for the release.
        """
        namespace = Namespace(question.namespace, self._labels(question.namespace))
        found: list[Door] = []
        for parent in _gateways(question.route):
            gateway = await self._read(parent, question.namespace)
            found += doors(question.route, parent, gateway, namespace)
        return tuple(dict.fromkeys(found))

    async def mirror(self, release: Release) -> bool:
        """Whether every Gateway of the release says that it can copy a part of the requests.

        One that does not say so might answer with errors instead. Of a mesh nobody says anything.
        """
        route = release.spec.traffic.gateway
        if route is None:
            return False
        try:
            for parent in _gateways(route):
                gateway = await self._read(parent, release.metadata.namespace)
                name = gateway["spec"]["gatewayClassName"]
                if MIRRORING not in _features(await self._api.get(GATEWAY_CLASSES, "", name)):
                    return False
        except (ApiError, Shut):
            return False
        return True

    async def _read(self, parent: ParentReference, namespace: str) -> Object:
        where = parent.namespace or namespace
        try:
            return await self._api.get(GATEWAYS, where, parent.name)
        except NotFound:
            raise Shut(f"Gateway {where}/{parent.name} does not exist") from None
        except ApiError as error:
            raise Shut(f"Gateway {where}/{parent.name} could not be read: {error}") from error


def _gateways(route: GatewayRoute) -> list[ParentReference]:
    return [parent for parent in route.parent_refs if parent.kind == "Gateway"]


def _features(gateway_class: Object) -> set[str]:
    """Of the first version each feature was a string of its own, not a map with a name."""
    listed = (gateway_class.get("status") or {}).get("supportedFeatures") or ()
    return {feature["name"] if isinstance(feature, Mapping) else feature for feature in listed}
