"""What can go wrong, in one sentence each.

Every message says what was found, what was wanted and what to do about it: the command line prints
it as it is and nothing else.
"""

from __future__ import annotations


class DevclusterError(Exception):
    """The base of all that this package raises on purpose."""


class UnsupportedMachineError(DevclusterError):
    """The cluster cannot run here: another system, not root, or no room."""


class TakenError(DevclusterError):
    """A port, an address or a name that the cluster needs belongs to somebody else."""


class MissingPackagesError(DevclusterError):
    """Programs of the distribution are missing and could not be installed."""


class BuildError(DevclusterError):
    """A pinned tool could not be built."""


class StartError(DevclusterError):
    """A part of the cluster did not come up."""


class TeardownError(DevclusterError):
    """Something could not be removed."""


class NotUpError(DevclusterError):
    """The cluster that was asked for is not running."""


class TargetError(DevclusterError):
    """The cluster that CLUSTER names cannot be used."""
