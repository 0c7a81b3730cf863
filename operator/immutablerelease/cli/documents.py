"""Files of YAML documents: ReleasePolicies, and the Secrets and ConfigMaps that these refer to.

Read as strictly as what they decide on deserves: one that can be read in two ways is refused, and
so is one that unfolds to more than it says.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from immutablerelease.api.base import first_problem
from immutablerelease.api.meta import API_VERSION
from immutablerelease.api.policy import Policy, PolicySpec
from immutablerelease.verification.trust import Place, Trust, references, secret_text

# One object of Kubernetes has at most 1.5 MiB.
MAX_BYTES = 2 * 1024 * 1024
# Far more than policies have; reading a million takes a minute.
MAX_NODES = 50_000
_Contents = dict[str, dict[str, str]]


class BadInput(Exception):
    """What was given cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Given:
    """What the files hold."""

    policies: tuple[Policy, ...]
    secrets: Mapping[str, Mapping[str, str]]
    config_maps: Mapping[str, Mapping[str, str]]
    # Objects that policies cannot refer to, with the namespace that they are in.
    elsewhere: Mapping[tuple[str, str], str]

    def trust(self, policies: Iterable[Policy]) -> Trust:
        """What these policies refer to; raises BadInput if it was not given."""
        wanted = references(policies)
        return Trust(
            secrets=dict(self._contents("Secret", self.secrets, wanted.secrets)),
            config_maps=dict(self._contents("ConfigMap", self.config_maps, wanted.config_maps)),
        )

    def _contents(
        self, kind: str, objects: Mapping[str, Mapping[str, str]], places: Iterable[Place]
    ) -> Iterator[tuple[Place, str]]:
        for name, key in sorted(places):
            if name not in objects:
                raise BadInput(self._absent(kind, name))
            if key not in objects[name]:
                keys = ", ".join(sorted(objects[name])) or "none"
                raise BadInput(
                    f"a policy refers to the key {key} of {kind} {name}, which has no text there; "
                    f"it has the keys: {keys}"
                )
            yield (name, key), objects[name][key]

    def _absent(self, kind: str, name: str) -> str:
        absent = f"a policy refers to {kind} {name}, which no file holds"
        if (kind, name) in self.elsewhere:
            namespace = self.elsewhere[kind, name]
            return (
                f"{absent} for the operator's namespace, only for {namespace}; policies refer to "
                "the operator's own, which --operator-namespace names"
            )
        return f"{absent}; add it to the file, or give a file that holds it by another --policy"


def read_files(paths: Sequence[Path], operator_namespace: str) -> Given:
    """All documents of the files; raises BadInput."""
    policies: dict[str, Policy] = {}
    objects: dict[str, _Contents] = {"Secret": {}, "ConfigMap": {}}
    elsewhere: dict[tuple[str, str], str] = {}
    for path in paths:
        held = len(policies)
        for document in _documents(path):
            kind = document.get("kind")
            if kind == "List":
                raise BadInput(f"{path} holds a List; write its items as documents of their own")
            if kind == "ReleasePolicy":
                policy = _policy(path, document)
                _add(path, kind, policies, policy.metadata.name, policy)
            elif kind in objects and document.get("apiVersion") == "v1":
                name, namespace = _named(path, kind, document)
                if namespace in ("", operator_namespace):
                    _add(path, kind, objects[kind], name, _contents(path, kind, document))
                else:
                    elsewhere[kind, name] = namespace
        if held == len(policies) and len(paths) == 1:
            raise BadInput(f"{path} holds no ReleasePolicy")
    if not policies:
        raise BadInput(f"none of the files holds a ReleasePolicy: {', '.join(map(str, paths))}")
    return Given(tuple(policies.values()), objects["Secret"], objects["ConfigMap"], elsewhere)


def _documents(path: Path) -> list[Mapping[str, Any]]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise BadInput(f"{path} has more than {MAX_BYTES} bytes, which no policy needs")
    try:
        documents = list(yaml.load_all(data.decode(), Loader=_Loader))
    except RecursionError as error:
        raise BadInput(f"{path} is nested too deeply") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    return [document for document in documents if isinstance(document, Mapping)]


class _Loader(yaml.SafeLoader):
    """Without aliases, which can unfold to anything, with each key once, and not without end."""

    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"an alias in line {mark.line + 1}; write out what it stands for")
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise yaml.YAMLError(f"more than {MAX_NODES} values, which no policy needs")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"the key in line {key.start_mark.line + 1} is no text")
            if key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"the key {key.value[:80]} in line {line} was there before")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _policy(path: Path, document: Mapping[str, Any]) -> Policy:
    if document.get("apiVersion") != API_VERSION:
        found = str(document.get("apiVersion"))[:80]
        raise BadInput(f"{path}: a ReleasePolicy of apiVersion {found}, expected {API_VERSION}")
    _named(path, "ReleasePolicy", document)
    try:
        # The API server refuses a field that it does not know, and so must this.
        PolicySpec.model_validate(document["spec"], extra="forbid")
        return Policy.read({**document, "status": {}})
    except KeyError as error:
        raise BadInput(f"{path}: a ReleasePolicy lacks {error}") from error
    except ValidationError as error:
        raise BadInput(f"{path}: spec.{first_problem(error)}") from error


def _named(path: Path, kind: str, document: Mapping[str, Any]) -> tuple[str, str]:
    """Name and namespace, which is empty where the document leaves it open."""
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    name, namespace = metadata.get("name"), metadata.get("namespace") or ""
    if not isinstance(name, str) or not name or not isinstance(namespace, str):
        raise BadInput(f"{path}: a {kind} lacks a name, or has one that is no text")
    return name, namespace


def _contents(path: Path, kind: str, document: Mapping[str, Any]) -> dict[str, str]:
    """The texts that the object holds, by their keys."""
    data = _texts(path, kind, document, "data")
    if kind == "ConfigMap":
        return data
    decoded = {key: secret_text(value) for key, value in data.items()}
    found = {key: text for key, text in decoded.items() if text is not None}
    # As the API server writes it over what `data` says.
    return found | _texts(path, kind, document, "stringData")


def _texts(path: Path, kind: str, document: Mapping[str, Any], field: str) -> dict[str, str]:
    texts = document.get(field)
    if texts is None:
        return {}
    if not isinstance(texts, Mapping) or not all(
        isinstance(part, str) for item in texts.items() for part in item
    ):
        raise BadInput(f"{path}: {field} of a {kind} must be texts by their keys")
    return dict(texts)


def _add(path: Path, kind: str, known: dict[str, Any], name: str, item: object) -> None:
    if name in known:
        raise BadInput(f"{path}: {kind} {name} is given twice; a cluster holds one of that name")
    known[name] = item
