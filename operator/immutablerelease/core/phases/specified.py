"""Which revision does the spec stand for? Tags are resolved once for it, then never again."""

from immutablerelease.api.probe import Probe
from immutablerelease.api.release import Source
from immutablerelease.api.revision import RevisionPhase, RevisionSpec, RevisionStatus

from .. import terms
from ..draft import IN_FLIGHT, REFUSED, Draft
from ..identity import revision_name
from ..plan import EventType, RecordRevision, Resolve
from ..snapshot import Resolution

RECORDED = "RevisionRecorded"


def identify(draft: Draft) -> None:
    """Find the revision of the present spec, or have its template resolved."""
    standing = terms.standing(draft.snapshot)
    if standing is not None:
        draft.wanted = standing
    elif (recorded := _recorded(draft)) is not None:
        draft.wanted = recorded
        _remember(draft, recorded)
        _tell(draft, recorded)
    elif not draft.spec.paused:
        _resolve(draft)
    _keep_terms(draft)
    _supersede(draft)
    _return(draft)


def _keep_terms(draft: Draft) -> None:
    """What the manifest says for the revision that it stands for stays with that revision."""
    name = draft.wanted
    if name is not None:
        draft.change(name, ports=draft.ports(name), probes=_recorded_probes(draft, name))


def _recorded_probes(draft: Draft, name: str) -> tuple[Probe, ...]:
    return tuple(probe.recorded for probe in draft.named_probes(name))


def settle_for_active(draft: Draft) -> None:
    """Want nothing but what serves."""
    draft.wanted = draft.active


def _recorded(draft: Draft) -> str | None:
    """The revision that was recorded for this very spec by an operator that got no further."""
    generation = draft.snapshot.release.metadata.generation
    for name, revision in draft.snapshot.revisions.items():
        spec = revision.spec
        if spec.template_hash == draft.snapshot.template_hash and spec.generation == generation:
            return name
    return None


def _remember(draft: Draft, name: str) -> None:
    draft.change_release(
        source=Source(
            generation=draft.snapshot.release.metadata.generation,
            template_hash=draft.snapshot.template_hash,
            revision=name,
        )
    )


def _tell(draft: Draft, name: str) -> None:
    draft.tell(EventType.NORMAL, RECORDED, f"{name} recorded", name)


def _resolve(draft: Draft) -> None:
    draft.resolve = Resolve(draft.snapshot.template_hash)
    resolution = draft.snapshot.resolution
    if (
        not isinstance(resolution, Resolution)
        or resolution.template_hash != draft.snapshot.template_hash
    ):
        return
    release = draft.snapshot.release.metadata
    jobs = {job.name: job.template for job in resolution.jobs}
    name = revision_name(release.name, resolution.template, jobs)
    if name in draft.revisions:
        draft.wanted = name
        draft.resolve = None
    elif (refusal := draft.snapshot.refusals.get(name)) is not None:
        draft.unrecorded = f"{name}: {refusal}"
        return
    else:
        # What is told of it, and that it is the spec's, is told once it is there.
        draft.do(RecordRevision(name, _spec(draft, resolution)))
        draft.followed = True
        return
    _remember(draft, name)


def _spec(draft: Draft, resolution: Resolution) -> RevisionSpec:
    numbers = [revision.spec.number for revision in draft.snapshot.revisions.values()]
    return RevisionSpec(
        release=draft.snapshot.release.metadata.name,
        number=max(numbers, default=0) + 1,
        generation=draft.snapshot.release.metadata.generation,
        template_hash=resolution.template_hash,
        template=dict(resolution.template),
        jobs=resolution.jobs,
        images=resolution.images,
        config=resolution.config,
    )


def _supersede(draft: Draft) -> None:
    """Whatever else is in flight gives way to the newest spec."""
    for name in list(draft.flying()):
        if name not in (draft.wanted, draft.leaving):
            draft.change(
                name,
                phase=RevisionPhase.SUPERSEDED,
                approved=False,
                message="superseded by a newer spec before it served",
            )
            draft.tell(EventType.NORMAL, "Superseded", f"{name} gives way to a newer spec", name)


def _return(draft: Draft) -> None:
    """A spec that returns to an earlier revision puts that revision in flight again.

    When it lost the traffic is kept: it may still have to stay warm.
    """
    name = draft.wanted
    if name is None or name == draft.active:
        return
    status: RevisionStatus = draft.revisions[name]
    if status.phase in IN_FLIGHT or status.phase in REFUSED:
        return
    draft.change(
        name,
        phase=RevisionPhase.PENDING,
        started_at=None,
        tested_at=None,
        step=0,
        step_at=None,
        approved=False,
        approved_step=None,
        message="wanted again",
    )
