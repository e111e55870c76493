"""Reference tables: codes and native keys of currencies, units and the like, as one connection and company has them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from weft.records import Query
from weft.state.membership import elapsed

if TYPE_CHECKING:
    from weft.runtime import Runtime

FRESH = 300.0
"""Seconds after which rows are read again: a process that runs for weeks sees new ones."""


class ReferenceTables:
    """Codes and native keys of reference rows, for one connection and company."""

    def __init__(self, runtime: Runtime, connection: str, company: str) -> None:
        self._runtime = runtime
        self._connection = connection
        self._company = company
        self._codes: dict[str, dict[str, str]] = {}
        self._ids: dict[str, dict[str, str]] = {}
        self.creating = asyncio.Lock()
        """Held by whoever creates rows."""
        self._turn = asyncio.Lock()
        self._without: set[str] = set()
        """Entities that the connection has no mapping of."""
        self._read_at: dict[str, float] = {}
        self._learnt: dict[str, dict[str, str]] = defaultdict(dict)
        """Rows we created ourselves: a read that began before does not know them."""
        self._loading: set[str] = set()
        """Reference entities being read: a city names its region, a region its country, in circles even."""

    async def load(self, entities: Iterable[str], *, again: bool = False) -> None:
        """Read the rows of these reference entities unless they are here already, and not old."""
        wanted = sorted(entities)
        if not again and all(map(self._is_fresh, wanted)):
            return
        async with self._turn:  # who comes second finds the rows there, not half of them
            await self._load_all(wanted, again=again)

    def _is_fresh(self, entity: str) -> bool:
        return entity in self._without or elapsed() - self._read_at.get(entity, -FRESH) < FRESH

    async def _load_all(self, entities: Iterable[str], *, again: bool = False) -> None:
        for entity in sorted(entities):
            if (again or not self._is_fresh(entity)) and entity not in self._loading:
                self._loading.add(entity)
                try:
                    await self._load(entity)
                finally:
                    self._loading.discard(entity)

    async def _load(self, entity: str) -> None:
        runtime = self._runtime
        codes: dict[str, str] = {}
        ids: dict[str, str] = {}
        began = elapsed()
        code = runtime.catalogue.get(entity).code
        mappings = runtime.mappings(self._connection, entity)
        if code is None or not mappings:
            self._without.add(entity)
            return
        session = await runtime.session(self._connection)
        context = runtime.context(self._connection, entity=entity, company=self._company)
        unusable = 0
        for compiled in mappings.values():
            await self._load_all(compiled.references())
            query = Query("scan", compiled.mapping, company=self._company)
            pages = runtime.plugins.iterate_around(context.kind, "read", ctx=context, session=session, query=query)
            async for page in pages:
                for mapped in compiled.read(page.records, self):
                    canonical = mapped.canonical
                    if canonical is None or not canonical.fields.get(code):
                        unusable += canonical is None and mapped.excluded is None
                        continue
                    value = str(canonical.fields[code])
                    codes[canonical.key] = value
                    ids.setdefault(value, canonical.key)
                    ids.setdefault(value.casefold(), canonical.key)
        if unusable:
            runtime.log.warning("%s: %d rows of %s cannot be mapped", self._connection, unusable, entity)
        self._codes[entity], self._ids[entity], self._read_at[entity] = codes, ids, began
        for native_id, value in self._learnt.pop(entity, {}).items():
            self._add(entity, value, native_id)

    def has(self, entity: str) -> bool:
        return entity in self._codes

    def code_of(self, entity: str, native_id: str) -> str | None:
        return self._codes.get(entity, {}).get(native_id)

    def id_of(self, entity: str, code: str) -> str | None:
        ids = self._ids.get(entity, {})
        return ids.get(code) or ids.get(code.casefold())

    def learn(self, entity: str, code: str, native_id: str) -> None:
        """Add a row that was just created."""
        self._learnt[entity][native_id] = code
        self._add(entity, code, native_id)

    def _add(self, entity: str, code: str, native_id: str) -> None:
        self._codes.setdefault(entity, {})[native_id] = code
        self._ids.setdefault(entity, {})[code] = native_id
