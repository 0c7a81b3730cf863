"""What goes wrong on the way to the cluster, in one sentence with what to do about it."""

import re

from immutablerelease.runtime.client import ApiError, Forbidden, Invalid, NotFound, Unavailable

FAILED = 1
BAD_CALL = 2
UNKNOWN = 3

# An object that is not there, as opposed to a kind that is not.
_NO_OBJECT = re.compile(r'^(\S+) "(\S+)" not found$')
_WORDS = {
    "immutablereleases.immutablerelease.io": "release",
    "releaserevisions.immutablerelease.io": "revision",
    "releaseactions.immutablerelease.io": "ReleaseAction",
}


class Complaint(Exception):
    """Ends the command; `advice` says what to do, `code` is the exit code."""

    def __init__(self, message: str, advice: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.advice = advice
        self.code = code


def complaint(error: ApiError, namespace: str) -> Complaint:
    """What an answer of the API server means to somebody at a terminal."""
    if isinstance(error, NotFound):
        return _not_found(error, namespace)
    if isinstance(error, Forbidden):
        return Complaint(
            f"not allowed: {error.message}",
            "ask a cluster admin: the chart's ClusterRole immutable-release-operator-view lets "
            "read, immutable-release-operator-actions lets promote, abort, roll back and retry",
        )
    if isinstance(error, Invalid):
        return Complaint(f"the API server refused it: {error.message}")
    if isinstance(error, Unavailable) and error.code == 401:
        return Complaint(
            "the cluster does not accept the credentials of the kubeconfig",
            "log in again; kubectl auth whoami tells whether it worked",
            UNKNOWN,
        )
    if isinstance(error, Unavailable):
        return Complaint(
            f"the API server gave no usable answer: {error.message}",
            "check the network, or choose another cluster with --context",
            UNKNOWN,
        )
    return Complaint(str(error))


def _not_found(error: NotFound, namespace: str) -> Complaint:
    missing = _NO_OBJECT.match(error.message)
    if missing is None:
        return Complaint(
            "the cluster does not know ImmutableReleases",
            "have a cluster admin install the chart, or choose another cluster with --context",
        )
    kind, name = missing.groups()
    return Complaint(
        f"there is no {_WORDS.get(kind, kind)} {name} in namespace {namespace}",
        "kubectl immutable status lists the releases of a namespace (-n), or of all (-A)",
    )
