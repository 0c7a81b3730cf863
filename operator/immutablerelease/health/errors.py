"""Why an attempt failed, in words for people."""

import errno
import os

import aiohttp


class Failed(Exception):
    """What was asked did not answer as it should; the message names what was found and wanted."""


class NoEvidence(Exception):
    """Nothing could be found out, for a reason that says nothing about the revision."""


def reason(error: BaseException) -> str:
    """An error of the network in a few words: `connection refused` says it all."""
    number = error.errno if isinstance(error, OSError) else None
    if number in errno.errorcode:
        return os.strerror(number or 0).lower()
    found = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    text = printable(found)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def printable(found: str) -> str:
    """What a Pod sent, as one short line of printable ASCII that may go into a status."""
    text = "".join(char if " " <= char <= "~" else " " for char in found)
    return " ".join(text.split())[:200]
