"""What belongs to a revision besides its template: the ports and probes that its manifest named.

A manifest changes as a whole. While the spec stands for a revision, its ports and probes are that
revision's; when the spec moves on, the last ones stay with it. So a port or a path that only the
new version has is never asked of the old one, and the way back stays open.
"""

from immutablerelease.api.probe import Probe
from immutablerelease.api.release import ServicePort

from .snapshot import Snapshot


def standing(snapshot: Snapshot) -> str | None:
    """The revision that the present spec stands for, where that is on record already."""
    source = snapshot.release.status.source
    if source is None or source.template_hash != snapshot.template_hash:
        return None
    return source.revision if source.revision in snapshot.revisions else None


def ports(snapshot: Snapshot, revision: str) -> tuple[ServicePort, ...]:
    """Ports of the Services while they lead to that revision."""
    return _kept(snapshot, revision)[0]


def probes(snapshot: Snapshot, revision: str) -> tuple[Probe, ...]:
    """Probes that its manifest names."""
    return _kept(snapshot, revision)[1]


def _kept(snapshot: Snapshot, revision: str) -> tuple[tuple[ServicePort, ...], tuple[Probe, ...]]:
    spec = snapshot.release.spec
    known = snapshot.revisions.get(revision)
    if known is None or not known.status.ports or standing(snapshot) == revision:
        return spec.service.ports, spec.health.probes
    return known.status.ports, known.status.probes
