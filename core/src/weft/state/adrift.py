"""Adrift: what the database was not told in time, because it went away. Without this a worker that lives on would
keep hints and portions that nobody here is at, and runs that have ended would seem to go on."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.state.store import State
    from weft.state.tx import Tx


class Adrift:
    """Reached as ``state.adrift``. Put right with the next heartbeat."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._flows: set[str] = set()
        self._runs: set[str] = set()
        self.portions: set[int] = set()
        """Portions that are in hand here."""

    def flow(self, name: str) -> None:
        """Something of a flow may have been taken, or not given back. Hints that are in hand are let go, too: whoever
        looks at a record claims it first."""
        self._flows.add(name)

    def run(self, id: str) -> None:
        """The end of a run could not be stored."""
        self._runs.add(id)

    async def tidy(self, now: datetime) -> None:
        """Let go of what nobody here is at; ended runs are lost, and what they sent and did not settle is in doubt."""
        flows, ended = set(self._flows), set(self._runs)
        if not flows and not ended:
            return
        me = self._state.worker

        def write(tx: Tx) -> None:
            tx.hints.let_go(me, flows)
            tx.portions.let_go(me, flows, self.portions)
            tx.workers.lose(me, ended, now)

        await self._state.write(write)
        self._flows -= flows
        self._runs -= ended
