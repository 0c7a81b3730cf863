"""Why an attempt failed, in words for people."""

import errno
import os

import aiohttp


class Failed(Exception):
    """The Pod did not answer as it should; the message names what was found and wanted."""


def reason(error: BaseException) -> str:
    """An error of the network in a few words: `connection refused` says it all."""
    number = error.errno if isinstance(error, OSError) else None
    if number in errno.errorcode:
        return os.strerror(number or 0).lower()
    found = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    # It may quote what the Pod sent: one short line of printable ASCII goes into a status.
    text = "".join(char if " " <= char <= "~" else " " for char in found)
    text = " ".join(text.split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
