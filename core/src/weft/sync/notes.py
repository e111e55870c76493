"""What a connector notes while it writes: finished steps, made durable before the next is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weft.records import Item

if TYPE_CHECKING:
    from weft.state.tx import Tx
    from weft.sync.run import Run


class Notes:
    """The :class:`weft.records.Intents` handed to ``weft_write``."""

    def __init__(self, run: Run, known: set[str], noted: dict[str, dict[str, dict[str, Any]]]) -> None:
        self._run = run
        self._known = known
        self._noted = noted
        self._sending = False

    @classmethod
    async def load(cls, run: Run, items: Sequence[Item]) -> Notes:
        """With the steps that earlier attempts noted."""
        ids = [item.id for item in items]
        known, noted = await run.runtime.state.read(lambda tx: (tx.intents.known(ids), tx.intents.noted(ids)))
        return cls(run, known, noted)

    async def note(self, item: Item, step: str, key: str | None = None, **data: Any) -> None:
        if item.id not in self._known:
            return  # a delete or an action is one step, and has no intent to note it with
        now = self._run.now

        def write(tx: Tx) -> None:
            tx.intents.note(item.id, step, key, data or None, now)

        await self._run.runtime.state.join(write)
        self._noted.setdefault(item.id, {})[step] = {**data, "key": key}

    def noted(self, item: Item) -> dict[str, dict[str, Any]]:
        return self._noted.get(item.id, {})

    async def still_mine(self) -> None:
        membership = self._run.runtime.state.membership
        if membership is not None:
            await membership.still_mine()
        self._sending = True

    def sent(self, item: Item | None) -> bool:
        """Whether anything may have been sent by now."""
        return item is not None and self._sending
