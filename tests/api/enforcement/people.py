"""Who asks: people, controllers and the operator, each as options of kubectl."""

from typing import Final

from devcluster.access import CLUSTER_ADMIN_GROUP
from tests.api.chart import BREAK_GLASS, OPERATOR

Who = tuple[str, ...]

# Every permission there is, once by the group that passes all authorization, once by RBAC.
MASTER: Final[Who] = (
    "--as=root",
    "--as-group=system:masters",
    "--as-group=system:authenticated",
)
CLUSTER_ADMIN: Final[Who] = (
    "--as=enforcement-admin",
    f"--as-group={CLUSTER_ADMIN_GROUP}",
    "--as-group=system:authenticated",
)
ADMINS: Final = {"a member of system:masters": MASTER, "a cluster-admin": CLUSTER_ADMIN}

OPERATOR_OUTSIDE_A_POD: Final[Who] = (f"--as={OPERATOR}",)
OPERATOR_IN_ITS_POD: Final[Who] = (
    *OPERATOR_OUTSIDE_A_POD,
    "--as-user-extra=authentication.kubernetes.io/pod-name=immutable-release-operator-0",
)


def mighty(who: Who) -> Who:
    """The same identity with every permission: kubectl reads before it patches, and a policy must
    also hold where RBAC lets through."""
    return (*who, "--as-group=system:masters")


def breaker(name: str) -> Who:
    """An admin who breaks the glass; the name finds the request in the audit log."""
    return (f"--as={name}", "--as-group=system:masters", f"--as-group={BREAK_GLASS}")


def controller(name: str) -> Who:
    """One of Kubernetes' own controllers."""
    return (f"--as=system:serviceaccount:kube-system:{name}",)
