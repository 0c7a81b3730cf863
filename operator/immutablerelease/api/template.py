"""Pod templates in the schemas: what is checked of them, and how they stay frozen.

A template is a PodTemplateSpec and the API server knows that kind well, so the schema holds only
what a release adds to it: what its rules must read (CEL sees no field that a schema does not name)
and what it forbids. Every other field of a Pod is kept as it is written. Nothing in a template has
a default: a field that a later version of the schema fills in would make a new revision.
"""

from typing import Annotated, Any

from pydantic import WithJsonSchema

from .meta import GROUP

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


def _rule(rule: str, message: str) -> list[dict[str, str]]:
    return [{"rule": rule, "message": message}]


def _unreserved(kind: str, value_length: int) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"{kind.capitalize()} of the Pods. Those under {GROUP}/ are the operator's.",
        "additionalProperties": {"type": "string", "maxLength": value_length},
        "maxProperties": 128,
        "x-kubernetes-validations": _rule(
            f"self.all(key, !key.startsWith('{GROUP}/'))",
            f"{kind} under {GROUP}/ are set by the operator: remove them from the template",
        ),
    }


_PORT: dict[str, Any] = {
    "type": "object",
    "description": "A port of a container; see `kubectl explain pod.spec.containers.ports`.",
    _PRESERVE: True,
    "required": ["containerPort"],
    "properties": {
        "name": {
            "type": "string",
            "description": "Name of the port; `targetPort` may refer to it.",
            "maxLength": 15,
            "pattern": _LABEL,
        },
        "containerPort": {
            "type": "integer",
            "description": "Number of the port.",
            "minimum": 1,
            "maximum": 65535,
        },
    },
}

_CONTAINER: dict[str, Any] = {
    "type": "object",
    "description": "A container; see `kubectl explain pod.spec.containers` for every field.",
    _PRESERVE: True,
    "required": ["name", "image"],
    "properties": {
        "name": {
            "type": "string",
            "description": "Name of the container.",
            "maxLength": 63,
            "pattern": _LABEL,
        },
        "image": {
            "type": "string",
            "description": "Image by tag or digest. A tag is resolved once, when the revision is "
            "made; the Pods always run the digest.",
            "maxLength": 512,
            "pattern": r"^[^\s]+$",
        },
        "ports": {
            "type": "array",
            "description": "Ports that the container listens on.",
            "items": _PORT,
            "maxItems": 32,
            "x-kubernetes-list-type": "atomic",
        },
    },
}

_IMAGE_VOLUME: dict[str, Any] = {
    "type": "object",
    "description": "Files of an image; see `kubectl explain pod.spec.volumes.image`.",
    _PRESERVE: True,
    "required": ["reference"],
    "properties": {
        "reference": {
            "type": "string",
            "description": "Image by tag or digest. It is resolved and verified as those of the "
            "containers are.",
            "minLength": 1,
            "maxLength": 512,
        },
    },
}

_VOLUME: dict[str, Any] = {
    "type": "object",
    "description": "A volume; see `kubectl explain pod.spec.volumes` for every field.",
    _PRESERVE: True,
    "required": ["name"],
    "properties": {
        "name": {
            "type": "string",
            "description": "Name of the volume.",
            "minLength": 1,
            "maxLength": 63,
        },
        "image": _IMAGE_VOLUME,
    },
}

_POD_SPEC: dict[str, Any] = {
    "type": "object",
    "description": "Specification of the Pods; see `kubectl explain pod.spec` for every field.",
    _PRESERVE: True,
    "required": ["containers"],
    "x-kubernetes-validations": _rule(
        "!has(self.ephemeralContainers)",
        "ephemeral containers are for debugging a running Pod: a template has none",
    ),
    "properties": {
        "containers": {
            "type": "array",
            "description": "Containers of the Pods, at least one.",
            "items": _CONTAINER,
            "minItems": 1,
            "maxItems": 32,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
        "initContainers": {
            "type": "array",
            "description": "Containers that run to their end, in this order, before the others "
            "start; with `restartPolicy: Always`, sidecars.",
            "items": _CONTAINER,
            "maxItems": 32,
            "x-kubernetes-list-type": "atomic",
        },
        "ephemeralContainers": {
            "type": "array",
            "description": "Not allowed in a template.",
            "items": {"type": "object", _PRESERVE: True},
            "maxItems": 32,
            "x-kubernetes-list-type": "atomic",
        },
        "volumes": {
            "type": "array",
            "description": "Volumes that containers may mount.",
            "items": _VOLUME,
            # With at most 32 containers of each kind, a revision's list of images holds them all.
            "maxItems": 64,
            "x-kubernetes-list-type": "atomic",
        },
        "restartPolicy": {
            "type": "string",
            "description": "Always, or absent: the Pods are those of a Deployment or DaemonSet.",
            "enum": ["Always"],
        },
    },
}

POD_TEMPLATE: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "metadata": {
            "type": "object",
            "description": "Labels and annotations of the Pods.",
            "properties": {
                "labels": _unreserved("labels", 63),
                "annotations": _unreserved("annotations", 262144),
            },
        },
        "spec": _POD_SPEC,
    },
}

PodTemplate = Annotated[dict[str, Any], WithJsonSchema(POD_TEMPLATE)]


def _job_template() -> dict[str, Any]:
    """The same for Pods that end; what it says of Pods of a Deployment is left out."""
    spec = dict(_POD_SPEC)
    spec["properties"] = _POD_SPEC["properties"] | {
        "restartPolicy": {
            "type": "string",
            "description": "Never, or absent: each attempt is one Pod.",
            "enum": ["Never"],
        },
    }
    return POD_TEMPLATE | {"properties": POD_TEMPLATE["properties"] | {"spec": spec}}


JobTemplate = Annotated[dict[str, Any], WithJsonSchema(_job_template())]

# Neither a type nor properties. Where an object has a schema that preserves unknown fields, the API
# server's `==` in CEL compares the number of its fields and the values of those that both sides
# have: one unknown field can be swapped for another and `self == oldSelf` still holds. A value
# without a type is compared whole. tests/api/test_crds.py holds this down.
# https://github.com/kubernetes/apiserver/blob/v0.36.3/pkg/cel/common/valuesunstructured.go
FrozenTemplate = Annotated[dict[str, Any], WithJsonSchema({_PRESERVE: True})]
