"""`kubectl immutable status --watch`: drawn anew at every change that the API server tells of."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from immutablerelease.api.meta import RELEASE_LABEL
from immutablerelease.runtime.client import (
    PODS,
    RELEASES,
    REVISIONS,
    ApiError,
    Forbidden,
    Kind,
    NotFound,
    Object,
)
from immutablerelease.runtime.following import follow

from . import output
from .cluster import Cluster

if TYPE_CHECKING:
    from rich.console import RenderableType

# Changes that come together are drawn together.
_TOGETHER: Final = 0.1
# How long ago things were is drawn anew on a terminal, which asks nobody.
_TICK: Final = 1.0

# Objects by kind; None for a kind that may not be read.
Board = Mapping[Kind, Sequence[Object] | None]


@dataclass(frozen=True)
class Interest:
    """Objects of one kind that are looked at."""

    kind: Kind
    namespace: str | None
    selector: str = ""
    fields: str = ""


def of_release(namespace: str, name: str) -> tuple[Interest, ...]:
    """What belongs to one release."""
    label = f"{RELEASE_LABEL}={name}"
    return (
        Interest(RELEASES, namespace, fields=f"metadata.name={name}"),
        Interest(REVISIONS, namespace, selector=label),
        Interest(PODS, namespace, selector=label),
    )


async def boards(cluster: Cluster, interests: Sequence[Interest]) -> AsyncIterator[Board | None]:
    """All that there is, again after each change; None when only time went by."""
    news: asyncio.Queue[tuple[Kind, Sequence[Object] | ApiError]] = asyncio.Queue()
    feeds = [asyncio.create_task(_feed(cluster, item, news)) for item in interests]
    board: dict[Kind, Sequence[Object] | None] = {}
    try:
        while True:  # ends with the caller
            try:
                async with asyncio.timeout(_TICK):
                    _take(board, *await news.get())
            except TimeoutError:
                for feed in feeds:
                    if feed.done():
                        feed.result()
                yield None
                continue
            await asyncio.sleep(_TOGETHER)
            while not news.empty():
                _take(board, *news.get_nowait())
            if len(board) == len(interests):
                yield dict(board)
    finally:
        for feed in feeds:
            feed.cancel()
        await asyncio.gather(*feeds, return_exceptions=True)


async def _feed(
    cluster: Cluster,
    interest: Interest,
    news: "asyncio.Queue[tuple[Kind, Sequence[Object] | ApiError]]",
) -> None:
    try:
        async for objects in follow(
            cluster.api,
            interest.kind,
            interest.namespace,
            selector=interest.selector,
            fields=interest.fields,
        ):
            news.put_nowait((interest.kind, objects))
    except ApiError as error:
        news.put_nowait((interest.kind, error))


def _take(
    board: dict[Kind, Sequence[Object] | None], kind: Kind, news: Sequence[Object] | ApiError
) -> None:
    """Put news on the board; Pods are shown only where they may be read."""
    if not isinstance(news, ApiError):
        board[kind] = news
    elif isinstance(news, Forbidden) and kind is PODS:
        board[kind] = None
    else:
        raise news


async def watch(
    cluster: Cluster,
    interests: Sequence[Interest],
    *,
    form: str,
    wire: Callable[[Board], Any],
    draw: Callable[[Board], "RenderableType"],
) -> int:
    """Show every change until Ctrl-C."""
    try:
        if form != "text":
            await _print(cluster, interests, lambda board: output.dump(wire(board), form), wire)
        elif sys.stdout.isatty():
            await _redraw(cluster, interests, draw)
        else:
            await _print(cluster, interests, lambda board: output.show(draw(board)), wire)
    except asyncio.CancelledError:
        # Ctrl-C is how this command ends.
        return 0
    return 0


async def _print(
    cluster: Cluster,
    interests: Sequence[Interest],
    show: Callable[[Board], None],
    wire: Callable[[Board], Any],
) -> None:
    """One answer after another, for pipes."""
    last = None
    async for board in boards(cluster, interests):
        if board is not None and (told := wire(board)) != last:
            last = told
            show(board)


async def _redraw(
    cluster: Cluster, interests: Sequence[Interest], draw: Callable[[Board], "RenderableType"]
) -> None:
    from rich.live import Live

    last: Board | None = None
    with Live(console=output.new_console(), auto_refresh=False) as live:
        async for board in boards(cluster, interests):
            last = board or last
            if last is not None:
                live.update(draw(last), refresh=True)


def one(board: Board, name: str) -> Object:
    """The release on the board; it may be deleted while somebody watches."""
    found = board.get(RELEASES)
    if not found:
        resource = f"{RELEASES.plural}.{RELEASES.group}"
        raise NotFound(f'{resource} "{name}" not found')
    return found[0]
