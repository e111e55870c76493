"""Claiming records: whoever works on one has it alone, and nobody waits for him.

On SQLite one process acts, so claims are kept in memory. On PostgreSQL they are rows, which fall with the
lease of the worker that holds them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from weft.errors import StateError
from weft.state.workers import Lease

if TYPE_CHECKING:
    from weft.state.store import State
    from weft.state.tx import Tx

T = TypeVar("T")
PATIENCE = timedelta(seconds=30)
"""So old must a claim be to be a stray: its transaction may still be on its way back."""
log = logging.getLogger("weft.worker")
Wanted = Mapping[str, Collection[str]]
"""By a name of the caller's: the places that must all be free."""


class Claims:
    """Reached as ``state.claims``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._mutex = threading.Lock()
        self._held: set[str] = set()
        self._strays: set[str] = set()
        """Places whose claim may be left in the database although nobody here holds them: the database went away."""
        self._taking = 0

    @property
    def in_memory(self) -> bool:
        return self._state.place.sqlite

    @property
    def _lease(self) -> Lease:
        membership = self._state.membership
        if membership is None:
            raise StateError(f"the state {self._state.place} is not open as a worker; nothing can be claimed")
        return membership.lease

    async def take(self, wanted: Callable[[Tx], Wanted], look: Callable[[Tx], T]) -> tuple[dict[str, set[str]], T]:
        """Claim what ``wanted`` says, each name whole or not at all; then ``look``, with the claims held.

        Returns the places claimed by name, and what was seen. Never waits for another holder.
        """
        if self.in_memory:
            return await self._take_in_memory(wanted, look)
        asked: set[str] = set()
        cleared: set[str] = set()

        def write(tx: Tx) -> tuple[dict[str, set[str]], T]:
            places = wanted(tx)
            asked.update(*places.values())
            cleared.clear()  # of an earlier try, which was undone
            cleared.update(self._strays_of(places))
            tx.claims.release(self._lease, cleared)
            return self._take_rows(tx, places), look(tx)

        self._taking += 1
        try:
            got, seen = await self._state.write(write)
            with self._mutex:
                self._held.update(*got.values())
                self._strays -= cleared.union(*got.values())
            return got, seen
        except BaseException:
            with self._mutex:
                self._strays |= asked
            raise
        finally:
            self._taking -= 1

    async def _take_in_memory(
        self, wanted: Callable[[Tx], Wanted], look: Callable[[Tx], T]
    ) -> tuple[dict[str, set[str]], T]:
        got: dict[str, set[str]] = {}

        def read(tx: Tx) -> T:
            got.update(self.take_here(wanted(tx)))
            return look(tx)

        try:
            return got, await self._state.read(read)
        except BaseException:  # nobody will know of them
            self.release_here(set().union(*got.values()))
            raise

    def take_here(self, wanted: Wanted) -> dict[str, set[str]]:
        """In memory only: claim at once."""
        with self._mutex:
            got = {name: set(places) for name, places in wanted.items() if self._held.isdisjoint(places)}
            self._held.update(*got.values())
            return got

    def _strays_of(self, wanted: Wanted) -> set[str]:
        with self._mutex:  # another one's claims may be on their way back: they look like strays
            return (self._strays & set().union(*wanted.values())) - self._held if self._taking == 1 else set()

    def _take_rows(self, tx: Tx, wanted: Wanted) -> dict[str, set[str]]:
        at = tx.workers.clock()
        taken = tx.claims.take(self._lease, {place for places in wanted.values() for place in places}, at)
        got = {name: set(places) for name, places in wanted.items() if taken.issuperset(places)}
        tx.claims.release(self._lease, taken.difference(*got.values()))
        return got

    async def release(self, places: Collection[str]) -> None:
        """Give claims back; those of places that are not held are no matter. What the database does not take
        now is given back by :meth:`tidy`."""
        if not places:
            return
        self.release_here(places)
        if not self.in_memory:
            try:
                await self._state.write(lambda tx: self.release_in(tx, places))
            except StateError as error:
                with self._mutex:
                    self._strays.update(places)
                log.warning("claims are given back later: %s", error)

    def release_in(self, tx: Tx, places: Collection[str]) -> None:
        """PostgreSQL: give claims back as part of a transaction; :meth:`release_here` once it is committed."""
        if not self.in_memory and places:
            tx.claims.release(self._lease, places)

    def release_here(self, places: Collection[str]) -> None:
        with self._mutex:
            self._held.difference_update(places)

    async def tidy(self) -> None:
        """PostgreSQL: give back what this worker does not know to hold, as after a lost connection."""
        if self.in_memory:
            return

        def write(tx: Tx) -> set[str]:
            now = tx.workers.clock()
            with self._mutex:
                known = self._strays - self._held if self._taking == 0 else set()
            # What is taken from now on bears a later time.
            lost = tx.claims.older(self._lease, now) & known if known else set()
            old = tx.claims.older(self._lease, now - PATIENCE)
            with self._mutex:
                lost |= old - self._held
            tx.claims.release(self._lease, lost)
            return known

        known = await self._state.write(write)
        with self._mutex:
            self._strays -= known
