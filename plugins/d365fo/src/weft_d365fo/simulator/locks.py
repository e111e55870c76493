"""Journals take one writer at a time: a line updates its header, and who comes meanwhile is refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from weft.testing.odata.render import loads
from weft_d365fo.simulator.errors import FoError, write_failed
from weft_d365fo.simulator.views import JOURNALS
from weft_d365fo.simulator.world import World

if TYPE_CHECKING:
    from weft_d365fo.simulator.service import Call

_LINES = {lines for _, lines in JOURNALS.values()}
_NUMBER = re.compile(r"JournalBatchNumber='([^']*)'")
_COMPANY = re.compile(r"dataAreaId='([^']*)'")


class Locks:
    def __init__(self, world: World) -> None:
        self.world = world
        self._busy: set[tuple[str, str]] = set()

    @property
    def busy(self) -> frozenset[tuple[str, str]]:
        """(company, number) of the journals being written to."""
        return frozenset(self._busy)

    def journal(self, call: Call) -> tuple[str, str] | None:
        """(company, number) of the journal a call writes a line of."""
        name = unquote(call.path).partition("(")[0]
        if name not in _LINES or call.method == "GET":
            return None
        if call.method == "POST":
            try:
                body = loads(call.body)
            except ValueError:
                return None
            if not isinstance(body, dict) or not body.get("JournalBatchNumber"):
                return None
            return str(body.get("dataAreaId") or call.user.company).lower(), str(body["JournalBatchNumber"])
        path = unquote(call.path)
        number, company = _NUMBER.search(path), _COMPANY.search(path)
        return (company[1].lower(), number[1]) if number and company else None

    @asynccontextmanager
    async def held(
        self, calls: Sequence[Call], sleep: Callable[[float], Awaitable[None]]
    ) -> AsyncIterator[dict[tuple[str, str], FoError]]:
        """Hold the journals that the calls write to, for as long as a write takes at least. Gives the conflicts."""
        wanted = {key for key in map(self.journal, calls) if key is not None}
        taken = {key for key in wanted if key not in self._busy}
        self._busy |= taken
        try:
            if taken:
                await sleep(self.world.settings.journal_write_time)
            yield {key: self._error(key) for key in wanted - taken}
        finally:
            self._busy -= taken

    def conflict(self, call: Call, conflicts: Mapping[tuple[str, str], FoError]) -> FoError | None:
        """The conflict that concerns this call."""
        key = self.journal(call) if conflicts else None
        return None if key is None else conflicts.get(key)

    @staticmethod
    def _error(key: tuple[str, str]) -> FoError:
        text = (
            f"Cannot edit a record in Ledger journal table (LedgerJournalTable). Journal batch number: {key[1]}.\n"
            "An update conflict occurred due to another user process deleting the record or changing one or more "
            "fields in the record."
        )
        return write_failed("LedgerJournalLineEntity", [("Error", text)])
