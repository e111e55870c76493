"""Small writes go to disk together: those that come in while one is on its way share the next transaction.

A transaction costs a wait for the disk, whatever it holds. Many documents under way at once note many steps, and
many pushes bring a hint each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from weft.state.tx import Tx

T = TypeVar("T")
Work = Callable[["Tx"], Any]
MOST = 200
"""So many writes share a transaction at most: the others do not wait for ever."""


class Joined:
    """Reached as ``state.join``. ``write`` runs one transaction, as :meth:`weft.state.store.State.write`."""

    def __init__(self, write: Callable[[Work], Awaitable[Any]]) -> None:
        self._write = write
        self._waiting: list[tuple[Work, asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def __call__(self, fn: Callable[[Tx], T]) -> T:
        """Run ``fn(tx)`` in a transaction shared with others; committed on return. It must not depend on being
        the only one, and may run more than once. Its failure is its own: the others are written without it."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((fn, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():  # nothing is committed behind the caller's back
                await asyncio.wait([future])
            if not future.cancelled():
                future.exception()
            raise

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._together(batch)
        finally:
            self._writer = None
            for _, future in self._waiting:  # only when the loop ends
                future.cancel()
            self._waiting = []

    async def _together(self, batch: list[tuple[Work, asyncio.Future[Any]]]) -> None:
        works = [fn for fn, _ in batch]
        try:
            results = await self._write(lambda tx: [fn(tx) for fn in works])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for one in batch:  # which of them it was shows when each is written by itself
                await self._together([one])
            return
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
