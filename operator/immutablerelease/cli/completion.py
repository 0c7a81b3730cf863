"""Completion in shells: `kubectl immutable completion SHELL`, and `kubectl_complete-immutable`.

kubectl asks an executable of that name what the words of a plugin can go on with, and reads the
answer as programs made with Cobra give it: candidates with a tab and a description, then `:4`, or
`:0` where files are meant. Our own scripts ask the same one.
Source: https://kubernetes.io/docs/reference/kubectl/kubectl/ and spf13/cobra, `completions.go`.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .cluster import Cluster, Commands, Connect, connect
from .main import COMMANDS, build_parser

# Somebody waits with a finger on a key.
_PATIENCE = 3.0
_FILES = ":0"
_NO_FILES = ":4"

_BASH = """\
# bash completion of kubectl-immutable: source <(kubectl immutable completion bash)
_kubectl_immutable() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :0) compopt -o default ;;
        :*) ;;
        *) COMPREPLY+=("${line%%$'\\t'*}") ;;
        esac
    done < <(kubectl_complete-immutable "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _kubectl_immutable kubectl-immutable
"""

_ZSH = """\
#compdef kubectl-immutable
# zsh completion of kubectl-immutable: source <(kubectl immutable completion zsh)
_kubectl_immutable() {
    local -a candidates
    local line directive
    while IFS= read -r line; do
        if [[ $line == :* ]]; then
            directive=$line
        else
            candidates+=("${line/$'\\t'/:}")
        fi
    done < <(kubectl_complete-immutable "${(@)words[2,CURRENT]}" 2>/dev/null)
    if [[ $directive == :0 ]]; then
        _files
    else
        _describe 'kubectl immutable' candidates
    fi
}
compdef _kubectl_immutable kubectl-immutable
"""

_FISH = """\
# fish completion of kubectl-immutable: kubectl immutable completion fish | source
function __kubectl_immutable
    set -l words (commandline -opc)
    set -l offered (kubectl_complete-immutable $words[2..] (commandline -ct) 2>/dev/null)
    string match -rv '^:' -- $offered
    contains -- :0 $offered; and __fish_complete_path (commandline -ct)
end
complete -c kubectl-immutable -f -a '(__kubectl_immutable)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


@dataclass(frozen=True)
class Candidate:
    """A word that may come next."""

    word: str
    description: str = ""


@dataclass(frozen=True)
class Place:
    """What is looked for: an option or argument, and where the words before have pointed to."""

    action: argparse.Action | None
    where: argparse.Namespace
    # Options that may stand here instead.
    options: tuple[Candidate, ...] = ()


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "completion",
        description="Print the script that has a shell complete the words of kubectl-immutable. "
        "kubectl itself completes those of `kubectl immutable` by kubectl_complete-immutable, "
        "which must be on the PATH.",
    )
    parser.add_argument("shell", choices=tuple(SCRIPTS))
    parser.set_defaults(run=_print_script)


def _print_script(arguments: argparse.Namespace) -> int:
    print(SCRIPTS[arguments.shell], end="")
    return 0


def run() -> None:
    """Console script `kubectl_complete-immutable`."""
    sys.exit(answer(sys.argv[1:]))


def answer(words: Sequence[str], *, connect: Connect = connect) -> int:
    """Print what the last of these words, which may be empty, can become."""
    candidates, directive = asyncio.run(complete(words, connect))
    for item in candidates:
        print(f"{item.word}\t{item.description}" if item.description else item.word)
    print(directive)
    return 0


async def complete(words: Sequence[str], connect: Connect) -> tuple[list[Candidate], str]:
    """Candidates for the last word, and whether files are candidates too."""
    *before, prefix = words or [""]
    place = _place(before)
    if place.action is None:
        found: Iterable[Candidate] = place.options
    elif place.action.choices is not None:
        found = [Candidate(str(choice)) for choice in place.action.choices]
    elif place.action.dest in ("kubeconfig", "policy"):
        return [], _FILES
    else:
        found = await _look_up(place, connect)
    if prefix.startswith("-"):
        found = place.options
    return [item for item in found if item.word.startswith(prefix)], _NO_FILES


def _place(before: Sequence[str]) -> Place:
    name = next((word for word in before if word in COMMANDS), None)
    where = argparse.Namespace(namespace=None, context=None, kubeconfig=None, release=None)
    if name is None:
        commands = tuple(Candidate(key, command.help) for key, command in COMMANDS.items())
        return Place(None, where, commands)
    parser = _parser_of(name)
    options = {text: action for action in parser._actions for text in action.option_strings}
    open_arguments = [action for action in parser._actions if not action.option_strings]
    pending: argparse.Action | None = None
    for word in before[before.index(name) + 1 :]:
        if pending is not None:
            setattr(where, pending.dest, word)
            pending = None
        elif word in options:
            pending = options[word] if options[word].nargs != 0 else None
        elif not word.startswith("-") and open_arguments:
            setattr(where, open_arguments.pop(0).dest, word)
    if pending is not None:
        return Place(pending, where)
    offered = tuple(
        Candidate(text, action.help or "")
        for text, action in options.items()
        if text.startswith("--")
    )
    return Place(open_arguments[0] if open_arguments else None, where, offered)


def _parser_of(name: str) -> argparse.ArgumentParser:
    for action in build_parser([name])._actions:
        if isinstance(action, argparse._SubParsersAction):
            parser: argparse.ArgumentParser = action.choices[name]
            return parser
    raise LookupError(name)


async def _look_up(place: Place, connect: Connect) -> list[Candidate]:
    """Names from the cluster; none when it does not give them, since nobody asked for an error."""
    assert place.action is not None  # noqa: S101 (told by the caller)
    try:
        if place.action.dest == "context":
            return _contexts(place.where.kubeconfig)
        async with asyncio.timeout(_PATIENCE), connect(place.where) as cluster:
            return await _names(place.action.dest, place.where, cluster)
    except Exception:  # noqa: BLE001 (whatever is wrong, there is nothing to offer)
        return []


async def _names(dest: str, where: argparse.Namespace, cluster: Cluster) -> list[Candidate]:
    from immutablerelease.api.meta import RELEASE_LABEL
    from immutablerelease.runtime.client import NAMESPACES, RELEASES, REVISIONS

    if dest == "release":
        return [
            Candidate(obj["metadata"]["name"], (obj.get("status") or {}).get("phase", ""))
            for obj in await cluster.api.list(RELEASES, cluster.namespace)
        ]
    if dest in ("revision", "before", "after") and where.release:
        revisions = await cluster.api.list(
            REVISIONS, cluster.namespace, selector=f"{RELEASE_LABEL}={where.release}"
        )
        revisions.sort(key=lambda obj: int(obj["spec"]["number"]), reverse=True)
        return [_revision(obj) for obj in revisions]
    if dest == "namespace":
        found = await cluster.api.list(NAMESPACES, None)
        return [Candidate(obj["metadata"]["name"]) for obj in found]
    return []


def _revision(obj: Mapping[str, Any]) -> Candidate:
    image = obj["spec"]["images"][0]["source"] if obj["spec"].get("images") else ""
    phase = (obj.get("status") or {}).get("phase", "")
    words = (f"#{obj['spec']['number']}", phase, image)
    return Candidate(obj["metadata"]["name"], " ".join(word for word in words if word))


def _contexts(kubeconfig: str | None) -> list[Candidate]:
    from kubernetes.aio.config import list_kube_config_contexts

    found, _ = list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call]
    return [Candidate(context["name"]) for context in found]
