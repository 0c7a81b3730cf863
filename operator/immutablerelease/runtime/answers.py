"""What the answers of the API server mean."""

import json
from collections.abc import Mapping
from typing import Final

from .client import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NamespaceGoing,
    NotFound,
    Object,
    Unavailable,
)


class Expired(Unavailable):
    """The continue token of a list is too old."""


class Unauthorized(Unavailable):
    """The credentials were not accepted."""

    advice = "check the operator's ServiceAccount token, or the user of the kubeconfig"


_TYPES: Final[Mapping[int, type[ApiError]]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Invalid,
    429: Unavailable,
}
# Schema errors of server-side apply come as a 500, and no repetition cures them:
# https://github.com/kubernetes/kubernetes/issues/139253
_SCHEMA_ERROR: Final = "failed to create typed patch object"
# A refusal that no permission lifts; named so in apimachinery's `types.go`.
_NAMESPACE_GOING: Final = "NamespaceTerminating"


def refusal(about: str, code: int, headers: Mapping[str, str], data: bytes) -> ApiError:
    """The error that an answer other than a success stands for; `about` says what was asked."""
    status = _status(data)
    message = str(status.get("message") or f"HTTP status {code}")[:2048]
    type_ = _TYPES.get(code, Unavailable if code >= 500 else Invalid)
    if code == 409 and status.get("reason") == "AlreadyExists":
        type_ = AlreadyExists
    if code == 403 and _NAMESPACE_GOING in _causes(status):
        type_ = NamespaceGoing
    if code == 500 and _SCHEMA_ERROR in message:
        type_ = Invalid
    # Kubernetes writes seconds, never a date.
    seconds = headers.get("Retry-After", "")
    retry_after = float(seconds) if seconds.isdigit() else None
    return type_(message, about=about, code=code, retry_after=retry_after)


def parsed(about: str, data: bytes) -> Object:
    """The object of a success; `Unavailable` when something in between answered with another."""
    try:
        found = json.loads(data)
    except ValueError as error:
        raise Unavailable(f"the answer is not JSON: {error}", about=about) from error
    if not isinstance(found, dict):
        raise Unavailable(f"the answer is no object: {type(found).__name__}", about=about)
    return found


def _causes(status: Object) -> list[str]:
    causes = (status.get("details") or {}).get("causes") or ()
    return [str(cause.get("reason")) for cause in causes]


def _status(data: bytes) -> Object:
    """The Status object of an error; a proxy in between may answer with anything else."""
    try:
        status = json.loads(data)
    except ValueError:
        return {"message": data[:512].decode(errors="replace").strip()}
    return status if isinstance(status, dict) else {}
