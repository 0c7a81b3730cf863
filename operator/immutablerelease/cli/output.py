"""How answers are printed: for people with colours on a terminal, for programs as JSON or YAML."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

# Where no terminal says how wide it is, lines are as long as a wide one would have them.
_NO_TERMINAL: Final = 160
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\b")
_TRAILING: Final = re.compile(r"[ \t]+$", re.MULTILINE)

STYLES: Final = {
    "Active": "green",
    "Good": "green",
    "True": "green",
    "Verified": "green",
    "Succeeded": "green",
    "Progressing": "cyan",
    "Starting": "cyan",
    "Testing": "cyan",
    "Shifting": "cyan",
    "Running": "cyan",
    "AwaitingPromotion": "yellow",
    "Paused": "yellow",
    "Reverting": "yellow",
    "Reverted": "red",
    "Rejected": "red",
    "Refused": "red",
    "Failed": "red",
    "Degraded": "red",
    "False": "red",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The option that says for whom the answer is."""
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "json", "yaml"),
        default="text",
        help="text for people, json or yaml for programs",
    )


def show(drawing: "RenderableType") -> None:
    """Print for people. Colours only on a terminal, and never with NO_COLOR (no-color.org)."""
    console = new_console()
    with console.capture() as captured:
        console.print(drawing)
    # What fills up the last column is of no use to anybody who copies a line.
    print(_TRAILING.sub("", captured.get()), end="", flush=True)


def new_console() -> "Console":
    """Standard output, as wide as its terminal, that no text of strangers can control."""
    from rich.console import Console
    from rich.segment import Segment

    class Terminal(Console):
        """Whose own control codes are the only ones."""

        def render(self, *args: Any, **options: Any) -> Iterator[Segment]:
            for segment in super().render(*args, **options):
                text = "\n".join(map(plain, segment.text.split("\n")))
                yield segment if segment.control else Segment(text, segment.style)

    terminal = sys.stdout.isatty()
    width = None if terminal or os.environ.get("COLUMNS", "").isdigit() else _NO_TERMINAL
    return Terminal(
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
        no_color=not terminal or bool(os.environ.get("NO_COLOR")),
        force_terminal=terminal,
    )


def plain(line: str) -> str:
    """Names and messages come from strangers: none may move the cursor or turn the text around."""
    if line.isprintable():
        return line
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in line
    )


def dump(data: Any, form: str) -> None:
    """Print for programs, in ASCII: no letter of a stranger's reaches a terminal."""
    if form == "json":
        print(json.dumps(data, indent=2))
        return
    import yaml

    print(yaml.safe_dump(data, sort_keys=False), end="")


def word(text: str) -> "Text":
    """A word of a status in its colour."""
    from rich.text import Text

    return Text(text, style=STYLES.get(text, ""))


def ago(then: datetime | None, now: datetime) -> str:
    """How long ago, in the shortest way that still says it: `17s`, `4m`, `3h`, `12d`."""
    if then is None:
        return ""
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def brief(message: str) -> str:
    """A message with its digests shortened."""
    return _DIGEST.sub(lambda found: short(found[0]), message)


def short(digest: str) -> str:
    """Enough of a digest to tell it from others: the first twelve of its hexadecimal digits."""
    name, _, hexadecimal = digest.rpartition("sha256:")
    return f"{name}sha256:{hexadecimal[:12]}" if len(hexadecimal) == 64 else digest
