"""A real Kubernetes cluster on one Linux machine, without Docker: `python -m devcluster up`."""

from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError, NotUpError
from devcluster.toolchain import tool

__all__ = ["Cluster", "DevclusterError", "NotUpError", "tool"]
