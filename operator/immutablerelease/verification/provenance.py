"""SLSA provenance: from which source and by what an image was built.

https://slsa.dev/spec/v1.0/provenance and https://slsa.dev/provenance/v0.2. Where the source stands
depends on the build type, so an unknown build type is refused: a field that looks right may be one
that whoever starts the build may fill in. The build types that are read:

- https://actions.github.io/buildtypes/workflow/v1 and
  https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1: the workflow's repository;
- https://cloud.google.com/build/gcb-buildtypes/google-worker/v1: the build configuration's;
- https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md, and in v0.2
  https://mobyproject.org/buildkit@v1: the build's remote context;
- those of https://github.com/slsa-framework/slsa-github-generator in v0.2: the calling workflow's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from immutablerelease.api.attestations import SlsaProvenance

from .errors import WrongProvenance, quote
from .matching import matches_glob

SLSA_V1 = "https://slsa.dev/provenance/v1"
SLSA_V02 = "https://slsa.dev/provenance/v0.2"
SLSA_TYPES = (SLSA_V1, SLSA_V02)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REPOSITORY = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)+")
_MAX_TEXT = 512


@dataclass(frozen=True)
class Provenance:
    """What a trusted builder says that it built an image from."""

    # Without `git+`, without `.git`.
    repository: str
    commit: str
    builder: str
    # Empty where the builder was given a commit.
    ref: str = ""


@dataclass(frozen=True)
class _Source:
    """A source as it is written."""

    uri: Any
    ref: Any
    commit: Any


def parse_provenance(predicate_type: str, predicate: Any) -> Provenance:
    """The source in the predicate; raises WrongProvenance if it does not say it clearly."""
    if predicate_type == SLSA_V1:
        definition = _at(predicate, "buildDefinition")
        read = _V1.get(_text(definition, "buildType"))
        build_type, builder = definition.get("buildType"), _at(predicate, "runDetails", "builder")
    else:
        definition = _at(predicate)
        read = _V02.get(_text(definition, "buildType"))
        build_type, builder = definition.get("buildType"), _at(predicate, "builder")
    if read is None:
        raise WrongProvenance(
            f"provenance of build type {quote(build_type)}, whose source is not known where to "
            "find; use predicateType and rules for it"
        )
    source = read(definition)
    repository, written_ref = _repository(source.uri)
    ref = source.ref if source.ref is not None else written_ref
    if not isinstance(ref, str) or len(ref) > _MAX_TEXT:
        raise WrongProvenance(f"provenance: ref {quote(ref)} is not one")
    if written_ref and ref != written_ref:
        raise WrongProvenance(f"provenance: two refs, {quote(ref)} and {quote(written_ref)}")
    if not isinstance(source.commit, str) or not _COMMIT.fullmatch(source.commit):
        raise WrongProvenance(f"provenance: commit {quote(source.commit)} is not a full one")
    return Provenance(repository, source.commit, _text(builder, "id"), ref)


def require_provenance(wanted: SlsaProvenance, found: Provenance) -> None:
    """Raises WrongProvenance unless the image was built from what the policy wants."""
    for what, pattern, value in (
        ("builder", wanted.builder, found.builder),
        ("source repository", wanted.source_repository, found.repository),
        ("ref", wanted.ref, found.ref),
    ):
        if pattern is not None and not matches_glob(pattern, value):
            raise WrongProvenance(f"built from {what} {quote(value)}, expected {quote(pattern)}")
    if wanted.commit is not None and wanted.commit != found.commit:
        raise WrongProvenance(f"built from commit {found.commit}, expected {wanted.commit}")


def _workflow(definition: Mapping[str, Any]) -> _Source:
    """GitHub Actions: the workflow, and the commit among the dependencies that is of its source."""
    workflow = _at(definition, "externalParameters", "workflow")
    return _of_parameters(definition, workflow)


def _cloud_build(definition: Mapping[str, Any]) -> _Source:
    return _of_parameters(definition, _at(definition, "externalParameters", "buildConfigSource"))


def _of_parameters(definition: Mapping[str, Any], parameters: Mapping[str, Any]) -> _Source:
    uri, ref = parameters.get("repository"), parameters.get("ref")
    plain = _repository(uri)[0]
    dependencies = definition.get("resolvedDependencies")
    commits = {
        str(_at(item, "digest").get("gitCommit"))
        for item in (dependencies if isinstance(dependencies, list) else ())
        if _is_source(item, plain, ref)
    }
    # Two commits of one ref of one repository would leave open which was built.
    return _Source(uri, ref, commits.pop() if len(commits) == 1 else None)


def _is_source(item: Any, repository: str, ref: Any) -> bool:
    if not isinstance(item, dict) or "gitCommit" not in _at(item, "digest"):
        return False
    try:
        found, found_ref = _repository(item.get("uri"))
    except WrongProvenance:
        return False
    return found == repository and found_ref in ("", ref)


def _buildkit(definition: Mapping[str, Any]) -> _Source:
    source = _at(definition, "externalParameters", "configSource")
    return _Source(source.get("uri"), None, _at(source, "digest").get("sha1"))


def _config_source(definition: Mapping[str, Any]) -> _Source:
    """Version 0.2: `invocation.configSource` is what started the build."""
    source = _at(definition, "invocation", "configSource")
    return _Source(source.get("uri"), None, _at(source, "digest").get("sha1"))


_V1: Mapping[str, Callable[[Mapping[str, Any]], _Source]] = {
    "https://actions.github.io/buildtypes/workflow/v1": _workflow,
    "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1": _workflow,
    "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1": _cloud_build,
    "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md": _buildkit,
}
_V02: Mapping[str, Callable[[Mapping[str, Any]], _Source]] = {
    "https://mobyproject.org/buildkit@v1": _config_source,
    "https://github.com/slsa-framework/slsa-github-generator/container@v1": _config_source,
    "https://github.com/slsa-framework/slsa-github-generator/generic@v1": _config_source,
    "https://github.com/slsa-framework/slsa-github-generator/go@v1": _config_source,
}


def _repository(uri: Any) -> tuple[str, str]:
    """Repository and ref of `git+https://host/path.git@ref` or, as BuildKit writes it, `#ref`."""
    if not isinstance(uri, str) or len(uri) > _MAX_TEXT:
        raise WrongProvenance(f"provenance: source {quote(uri)} is not a URI")
    rest = uri.removeprefix("git+")
    if "#" in rest:
        # After a colon, a directory.
        rest, _, fragment = rest.partition("#")
        ref = fragment.partition(":")[0]
    else:
        rest, _, ref = rest.partition("@")
    rest = rest.removesuffix("/").removesuffix(".git")
    # A path that walks up would match a pattern for where it starts.
    if not _REPOSITORY.fullmatch(rest) or {".", ".."} & set(rest.split("/")):
        raise WrongProvenance(f"provenance: source {quote(uri)} is not a repository by HTTPS")
    return rest, ref


def _at(value: Any, *path: str) -> Mapping[str, Any]:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise WrongProvenance(f"provenance: {'.'.join(path) or 'predicate'} is not an object")
    return value


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= _MAX_TEXT:
        raise WrongProvenance(f"provenance: {name} is absent, or not text")
    return found
