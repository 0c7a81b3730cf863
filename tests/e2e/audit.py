"""The API server's audit log: who did what, whatever became of it."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from demo.operator_process import NAMESPACE, SERVICE_ACCOUNT
from devcluster import Cluster

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"
_READS = frozenset({"get", "list", "watch"})
# The operator's sign of life, and what it is to say about itself.
_ALLOWED = frozenset({"leases", "selfsubjectaccessreviews", "selfsubjectrulesreviews"})


def entries(cluster: Cluster, since: datetime, offset: int = 0) -> Iterator[dict[str, Any]]:
    """All entries since then, oldest first; none of those before an offset of the log is read."""
    with cluster.audit_log.open("rb") as lines:
        if offset:
            lines.seek(offset - 1)
            lines.readline()
        for line in lines:
            if not line.endswith(b"\n"):
                # It is being written.
                return
            entry = json.loads(line)
            if datetime.fromisoformat(entry["requestReceivedTimestamp"]) >= since:
                yield entry


def writes_of_operator(cluster: Cluster, since: datetime, offset: int = 0) -> list[str]:
    """What the operator wrote since then, also where nothing changed by it."""
    found = []
    for entry in entries(cluster, since, offset):
        target = entry.get("objectRef", {})
        if (
            entry["user"]["username"] == OPERATOR
            and entry["verb"] not in _READS
            and target.get("resource") not in _ALLOWED
        ):
            where = "/".join(
                target[part]
                for part in ("resource", "subresource", "namespace", "name")
                if part in target
            )
            found.append(f"{entry['verb']} {where}")
    return found
