"""Claims of a page: its records are its own while it works on them, and nothing is decided with old values.

A record is claimed together with the other ends of its links. Whatever somebody else is at becomes a hint:
it is looked at again a moment later, read fresh. So does a record that somebody settled after the page
began to read: what the page knows of it is older than the base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from weft.state.links import Link
from weft.sync.known import find_links

if TYPE_CHECKING:
    from weft.state.claiming import Claims
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.run import Run

SOON = timedelta(milliseconds=300)
"""After so long a record that somebody else was at is looked at again."""

AT_ONCE = timedelta()
LONGEST = timedelta(seconds=5)
"""Who has been at it for long will be for a while: then it is looked at less often, but as often as this."""


def again(soon: timedelta, hinted: datetime | None, now: datetime) -> timedelta:
    """How soon to look at a record that was refused: after a quarter of the time that its hint has waited."""
    if not soon or hinted is None:
        return soon
    return max(soon, min((now - hinted) / 4, LONGEST))


def place(connection: str, company: str, object_name: str, key: str) -> str:
    """One record of one system, as claims name it."""
    return "\x1f".join((connection, company, object_name, key))


def ends_of(link: Link) -> set[str]:
    """The places at both ends of a link."""
    return {
        place(link.left_connection, link.left_company, link.left_object, link.left_key),
        place(link.right_connection, link.right_company, link.right_object, link.right_key),
    }


class Claim:
    """What one page has to itself, until :meth:`release`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._held: set[str] = set()
        self.links: dict[str, list[Link]] = {}
        """The links of the records that were claimed, by key."""
        self.refused: dict[str, timedelta] = {}
        """Records left to whoever is at them, or to be read again: key -> how soon to look."""

    @property
    def _claims(self) -> Claims:
        return self._run.runtime.state.claims

    async def records(self, end: End, company: str, object_name: str, keys: Sequence[str], mark: int | None) -> None:
        """Claim records of one end. ``mark`` is the last settlement there was before they were read; None: they
        are read after this."""
        run = self._run
        entity = run.flow.entity.name
        if run.plan_only:
            self.links = await run.runtime.state.read(lambda tx: find_links(run.flow, tx, end, company, keys))
            return
        own = {key: place(end.connection, company, object_name, key) for key in keys}

        def wanted(tx: Tx) -> dict[str, set[str]]:
            links = {} if self._claims.in_memory else find_links(run.flow, tx, end, company, keys)
            return {key: {one}.union(*map(ends_of, links.get(key, ()))) for key, one in own.items()}

        def look(tx: Tx) -> tuple[dict[str, list[Link]], int]:
            return find_links(run.flow, tx, end, company, keys), tx.links.last_dropped(entity)

        got, (links, dropped) = await self._claims.take(wanted, look)
        if self._claims.in_memory:
            self._other_ends(got, links)
        spare: set[str] = set()
        for key, mine in got.items():
            known = links.get(key, [])
            if not mine.issuperset(set().union(*map(ends_of, known))):
                self.refused[key] = SOON  # its link is somebody's, or appeared this very moment
                spare |= mine
            elif mark is not None and max((link.settled for link in known), default=dropped) > mark:
                self.refused[key] = AT_ONCE
                spare |= mine
            else:
                self._held |= mine
                if known:
                    self.links[key] = known
        self.refused.update(dict.fromkeys(own.keys() - got.keys(), SOON))
        await self._claims.release(spare)

    def _other_ends(self, got: dict[str, set[str]], links: Mapping[str, Sequence[Link]]) -> None:
        """In memory the links are looked up with the records claimed, and their other ends claimed then."""
        more = {key: set().union(*map(ends_of, links[key])) - mine for key, mine in got.items() if key in links}
        for key, places in self._claims.take_here(more).items():
            got[key] |= places

    async def pairs(self, links: Sequence[Link]) -> list[Link]:
        """Claim both ends of links; returns those that were free, as they are now."""
        if self._run.plan_only or not links:
            return list(links)
        ids = [link.id for link in links]
        wanted = {str(link.id): ends_of(link) for link in links}
        got, now = await self._claims.take(lambda tx: wanted, lambda tx: tx.links.get_many(ids))
        self._held.update(*got.values())
        return [found for name, mine in got.items() if (found := now.get(int(name))) and mine == ends_of(found)]

    async def more(self, wanted: Mapping[str, set[str]]) -> set[str]:
        """Claim further places for some records: returns the keys that could not have theirs."""
        new = {key: rest for key, places in wanted.items() if (rest := places - self._held)}
        if self._run.plan_only or not new:
            return set()
        # Two records of this page may want the same place: it is the page's, so both may have it.
        got, _ = await self._claims.take(lambda tx: {"": set().union(*new.values())}, lambda tx: None)
        if not got:
            got, _ = await self._claims.take(lambda tx: new, lambda tx: None)
        mine = set().union(*got.values())
        self._held |= mine
        return {key for key, places in new.items() if not mine.issuperset(places)}

    def give_up(self, tx: Tx) -> None:
        """Release as part of a transaction; :meth:`release` does the rest once it is committed."""
        self._claims.release_in(tx, self._held)

    def released(self) -> None:
        """The transaction given to :meth:`give_up` is committed."""
        self._claims.release_here(self._held)
        self._held = set()

    async def release(self) -> None:
        held, self._held = self._held, set()
        await self._claims.release(held)
