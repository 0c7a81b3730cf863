"""Files that appear whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PRIVATE = 0o600


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object; see `write_text`."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file for root alone, by a rename; leave one that says the same untouched.

    A running part may watch its file: it must neither read half of it nor reload it for nothing.
    """
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.touch(mode=_PRIVATE)
    partial.write_text(text)
    partial.replace(path)
