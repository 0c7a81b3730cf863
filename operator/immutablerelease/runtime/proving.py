"""Turns a template into what can run: digests for tags, frozen configuration, then a verdict.

This is the slow half of a reconcile; it runs in the background and nothing waits for it.
"""

import asyncio
import base64
import json
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from immutablerelease.api.objects import Release
from immutablerelease.api.policy import Policy
from immutablerelease.api.revision import (
    FrozenConfig,
    ResolvedImage,
    RevisionJob,
    RevisionPhase,
    Source,
)
from immutablerelease.core.plan import Verify
from immutablerelease.core.snapshot import Resolution, Snapshot, Unresolved, VerdictView
from immutablerelease.immutability.config import (
    Reference,
    absent,
    frozen_copy,
    frozen_name,
    references,
    rewrite,
)
from immutablerelease.immutability.images import named_images, with_digests
from immutablerelease.immutability.job import job_templates
from immutablerelease.verification.access import Access
from immutablerelease.verification.errors import VerificationError
from immutablerelease.verification.provenance import Provenance
from immutablerelease.verification.reverification import stands_for, wants_revert
from immutablerelease.verification.verdict import ImageUse
from immutablerelease.verification.verifier import Verifier

from .children import NameTaken, is_ours
from .client import (
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    AlreadyExists,
    Api,
    ApiError,
    Kind,
    NotFound,
    Object,
)
from .observe import Observer
from .trust import TrustReader

log = logging.getLogger(__name__)

_KINDS: Mapping[str, Kind] = {"ConfigMap": CONFIG_MAPS, "Secret": SECRETS}
# Verified again at the same time: what is released now must not wait in a registry's queue.
_AGAIN_AT_ONCE = 32
# Seconds in which what is due for several revisions of one image is asked once.
_ASKED_JUST_NOW = 10.0
# Verdicts that were reached together are due apart from each other, by this part of their time.
_SPREAD = 0.1
_PULL_SECRET = "kubernetes.io/dockerconfigjson"  # noqa: S105 (a type, not a secret)


class Prover:
    """Resolves templates and verifies revisions."""

    def __init__(
        self,
        api: Api,
        observer: Observer,
        verifier: Verifier,
        trust: TrustReader,
        clock: Callable[[], datetime],
        jitter: random.Random,
    ) -> None:
        self._api = api
        self._observer = observer
        self._verifier = verifier
        self._trust = trust
        self._clock = clock
        self._jitter = jitter
        self._due = asyncio.Semaphore(_AGAIN_AT_ONCE)
        self._history = asyncio.Semaphore(_AGAIN_AT_ONCE)

    async def resolve(self, snapshot: Snapshot) -> Resolution | Unresolved:
        """The release's template with its images by digest and its configuration frozen."""
        release, template_hash = snapshot.release, snapshot.template_hash
        try:
            images = await self._images(release)
            config = await self._freeze(release)
        except VerificationError as error:
            return Unresolved(template_hash, error.reason, error.diagnostics())
        except NameTaken as error:
            return Unresolved(
                template_hash, "NameConflict", f"{error} exists and is not this release's"
            )
        except _MissingConfig as error:
            return Unresolved(template_hash, "ConfigNotFound", str(error))
        except ApiError as error:
            return Unresolved(template_hash, "ApiError", f"{error}; {error.advice}")
        template, *jobs = [
            rewrite(with_digests(written, [image for image in images if image.job == job]), config)
            for job, written in _templates(release)
        ]
        names = [name for name, _ in _templates(release)[1:]]
        made = tuple(
            RevisionJob(name=name or "", template=resolved)
            for name, resolved in zip(names, jobs, strict=True)
        )
        return Resolution(template_hash, template, images, config, made)

    async def verify(self, snapshot: Snapshot, request: Verify) -> VerdictView:
        """The verdict of the policies that hold now on a revision's images."""
        async with self._turn(snapshot, request):
            return await self._verify(snapshot, request)

    @asynccontextmanager
    async def _turn(self, snapshot: Snapshot, request: Verify) -> AsyncIterator[None]:
        """What serves or is to serve goes first; what is only looked at again takes its turn."""
        status = snapshot.revisions[request.revision].status
        if request.again:
            async with self._due:
                yield
        elif status.phase in (RevisionPhase.SUPERSEDED, RevisionPhase.RETIRED):
            async with self._history:
                yield
        else:
            yield

    async def _verify(self, snapshot: Snapshot, request: Verify) -> VerdictView:
        release = snapshot.release
        revision = snapshot.revisions[request.revision]
        namespace = release.metadata.namespace
        policies = self._observer.policies()
        if policies.unreadable:
            message = f"a policy cannot be read: {'; '.join(policies.unreadable)}"
            return self._unknown("InvalidPolicy", message, request)
        try:
            access = await self._access(release)
            trust = await self._trust.read(policies.readable)
        except ApiError as error:
            message = f"pull secrets or trust roots could not be read: {error}; {error.advice}"
            return self._unknown("ApiError", message, request)
        images = [
            ImageUse(image.container, image.init, image.image, volume=image.volume, job=image.job)
            for image in revision.spec.images
        ]
        verdict = await self._verifier.verify(
            images,
            policies.readable,
            namespace=namespace,
            namespace_labels=self._observer.namespace_labels(namespace),
            access=access,
            trust=trust,
            max_age=_ASKED_JUST_NOW if request.again else None,
        )
        return VerdictView(
            verdict.verdict,
            str(verdict.reason),
            verdict.message,
            request.policies,
            self._clock(),
            verdict.evidence,
            _source(verdict.source),
            self._again_at(policies.readable, images, namespace),
            wants_revert(policies.readable, verdict),
        )

    def _again_at(
        self, policies: Sequence[Policy], images: Sequence[ImageUse], namespace: str
    ) -> datetime | None:
        labels = self._observer.namespace_labels(namespace)
        every = stands_for(policies, images, namespace=namespace, namespace_labels=labels)
        if every is None:
            return None
        return self._clock() + timedelta(seconds=every * self._jitter.uniform(1 - _SPREAD, 1))

    def _unknown(self, reason: str, message: str, request: Verify) -> VerdictView:
        return VerdictView("Unknown", reason, message, request.policies, self._clock())

    async def _images(self, release: Release) -> tuple[ResolvedImage, ...]:
        named = [(job, image) for job, made in _templates(release) for image in named_images(made)]
        sources = dict.fromkeys(image.source for _, image in named)
        # No registry is asked for what names its digest.
        asks = any("@" not in source for source in sources)
        access = await self._access(release) if asks else Access()
        digests = {
            source: (await self._verifier.resolve(source, access)).image for source in sources
        }
        return tuple(image.resolved(digests[image.source], job) for job, image in named)

    async def _access(self, release: Release) -> Access:
        namespace = release.metadata.namespace
        return Access.allowed_by(
            self._observer.policies().readable,
            namespace=namespace,
            namespace_labels=self._observer.namespace_labels(namespace),
            credentials=await self._credentials(release),
        )

    async def _credentials(self, release: Release) -> list[Mapping[str, Any]]:
        """Pull secrets of templates and their ServiceAccounts, as the kubelet would use them."""
        namespace = release.metadata.namespace
        specs = [template.get("spec") or {} for _, template in _templates(release)]
        names = [item.get("name") for spec in specs for item in spec.get("imagePullSecrets") or ()]
        for account in dict.fromkeys(spec.get("serviceAccountName") or "default" for spec in specs):
            try:
                found = await self._api.get(SERVICE_ACCOUNTS, namespace, account)
                names += [item.get("name") for item in found.get("imagePullSecrets") or ()]
            except NotFound:
                log.debug("no ServiceAccount %s in %s", account, namespace)
        configs = []
        for name in filter(None, dict.fromkeys(names)):
            config = await self._pull_secret(namespace, name)
            if config is not None:
                configs.append(config)
        return configs

    async def _pull_secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Contents of a pull secret; one that is missing or unreadable is passed over.

        The kubelet does the same: the registry then says that it wants credentials.
        """
        try:
            secret = await self._api.get(SECRETS, namespace, name)
            if secret.get("type") != _PULL_SECRET:
                return None
            config = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
        except (NotFound, KeyError, ValueError):
            return None
        return config if isinstance(config, Mapping) else None

    async def _freeze(self, release: Release) -> tuple[FrozenConfig, ...]:
        frozen = []
        templates = [template for _, template in _templates(release)]
        for reference in references(templates, release.spec.config.live):
            source = await self._source(release, reference)
            await self._copy(release, reference.kind, source)
            frozen.append(
                FrozenConfig.model_validate(
                    {
                        "kind": reference.kind,
                        "source": reference.name,
                        "name": frozen_name(release, source),
                    }
                )
            )
        return tuple(frozen)

    async def _source(self, release: Release, reference: Reference) -> Object:
        namespace = release.metadata.namespace
        try:
            return await self._api.get(_KINDS[reference.kind], namespace, reference.name)
        except NotFound:
            if reference.optional:
                return absent(reference)
            raise _MissingConfig(reference, namespace) from None

    async def _copy(self, release: Release, kind: str, source: Object) -> None:
        copy = frozen_copy(release, kind, source)
        namespace = release.metadata.namespace
        try:
            await self._api.create(_KINDS[kind], namespace, copy)
        except AlreadyExists:
            made = await self._api.get(_KINDS[kind], namespace, copy["metadata"]["name"])
            if not _is_copy(made, copy, release):
                raise NameTaken(_KINDS[kind], copy["metadata"]["name"]) from None


def _templates(release: Release) -> list[tuple[str | None, Mapping[str, Any]]]:
    """All templates: that of the Pods, and those of jobs with the names of their probes."""
    return [(None, release.spec.template), *job_templates(release).items()]


def _is_copy(made: Object, copy: Object, release: Release) -> bool:
    """Whether what is there is what was to be made; a copy of another release ends with that."""
    owners = made["metadata"].get("ownerReferences") or ()
    return (
        is_ours(made)
        and any(reference["uid"] == release.metadata.uid for reference in owners)
        and made.get("immutable") is True
        and all(made.get(field) == copy.get(field) for field in ("type", "data", "binaryData"))
    )


def _source(found: Provenance | None) -> Source | None:
    if found is None:
        return None
    return Source(repository=found.repository, commit=found.commit, builder=found.builder)


class _MissingConfig(Exception):
    def __init__(self, reference: Reference, namespace: str) -> None:
        super().__init__(
            f"the template names {reference.kind} {reference.name}, which does not exist in "
            f"{namespace}; create it, or mark the reference optional"
        )
