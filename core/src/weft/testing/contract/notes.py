"""The durable notes of a write, kept in memory: they survive a kill, can lose the lease and can kill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.records import Item
from weft.state.workers import LeaseLost


class Killed(BaseException):
    """The process dies here. Not an ``Exception``: no ``except`` of a connector survives a kill."""


class MemoryNotes:
    """A :class:`weft.records.Intents`.

    ``lose_at``: the call of ``still_mine`` (from 1) from which on the lease is lost. ``kill_at``: the note
    (from 1) right after which the process dies. ``on_send`` is called by every ``still_mine`` that passes.
    """

    def __init__(
        self,
        steps: dict[str, dict[str, dict[str, Any]]] | None = None,
        *,
        lose_at: int | None = None,
        kill_at: int | None = None,
        on_send: Callable[[], None] | None = None,
    ) -> None:
        self.steps = steps if steps is not None else {}
        self.lose_at, self.kill_at, self.on_send = lose_at, kill_at, on_send
        self.asked = self.made = 0

    async def note(self, item: Item, step: str, key: str | None = None, **data: Any) -> None:
        self.made += 1
        self.steps.setdefault(item.id, {})[step] = {**data, "key": key}
        if self.made == self.kill_at:
            raise Killed

    def noted(self, item: Item) -> dict[str, dict[str, Any]]:
        return self.steps.get(item.id, {})

    async def still_mine(self) -> None:
        self.asked += 1
        if self.lose_at is not None and self.asked >= self.lose_at:
            raise LeaseLost("another worker has taken the flow; nothing more is sent")
        if self.on_send is not None:
            self.on_send()

    @property
    def sending(self) -> bool:
        """Whether anything may have been sent."""
        return self.asked > 0
