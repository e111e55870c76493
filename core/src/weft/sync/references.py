"""References: codes of reference entities, and links of everything else.

Reference entities (currency, unit …) are matched by code: their rows are read once per connection and
company and kept as tables. References to master and document entities are translated through links.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weft.errors import ConfigError
from weft.model.values import EMPTY, Ref
from weft.records import Canonical, Query, Side
from weft.state.membership import elapsed
from weft.sync.decide import Unlinked
from weft.sync.work import Work, other

if TYPE_CHECKING:
    from weft.model.entity import EntityType
    from weft.runtime import Runtime
    from weft.state.store import State
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.run import Run


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


@dataclass(frozen=True, slots=True)
class Asked:
    """One reference to translate: from which connection to which; companies None: any."""

    entity: str
    object: str
    key: str
    source: str
    target: str
    from_company: str | None
    to_company: str | None


Translations = dict[Asked, Ref]


def asked(works: Iterable[Work]) -> set[Asked]:
    """Every reference in these works, both ways."""
    wanted: set[Asked] = set()
    sides: tuple[Side, Side] = ("left", "right")
    for work in works:
        entity = work.pair.flow.entity
        for side in sides:
            canonical = work.half(side).canonical
            if canonical is None:
                continue
            wanted.update(_refs(canonical, entity, work, side))
            for collection, lines in canonical.lines.items():
                if collection in entity.lines:
                    for line in lines:
                        wanted.update(_refs(line, entity.lines[collection], work, side))
    return wanted


def _refs(record: Canonical, entity: EntityType, work: Work, side: Side) -> Iterator[Asked]:
    for name, value in record.fields.items():
        if isinstance(value, Ref):
            yield _ask(name, value, entity, work, side)


def _ask(name: str, value: Ref, entity: EntityType, work: Work, side: Side) -> Asked:
    company = work.target.company
    return Asked(
        _referred(name, entity),
        value.object,
        value.key,
        work.pair.connection_of(side),
        work.pair.connection_of(other(side)),
        company if side == "right" else None,
        company if side == "left" else None,
    )


def _referred(name: str, entity: EntityType) -> str:
    field = entity.field(name)
    if field is None or field.entity is None:
        raise ConfigError(f"the field {name!r} of {entity.name} holds a reference but is not declared as one")
    return field.entity


async def recast(
    run: Run, origin: End, far: End, company: str, records: Sequence[Canonical], names: Iterable[str]
) -> list[Canonical]:
    """Records of one end with the references among these fields in the other end's terms; what is not linked there is
    EMPTY. ``company``: the one on the right side."""
    entity = run.flow.entity
    fields = set(names)
    from_company, to_company = (None, company) if origin.side == "left" else (company, None)

    def ask(name: str, value: Ref) -> Asked:
        about = _referred(name, entity), value.object, value.key
        return Asked(*about, origin.connection, far.connection, from_company, to_company)

    held = [
        {name: ask(name, value) for name, value in one.fields.items() if name in fields and isinstance(value, Ref)}
        for one in records
    ]
    found = await translate(run.runtime.state, {one for asks in held for one in asks.values()})
    return [
        replace(one, fields={**one.fields, **{name: found.get(wanted, EMPTY) for name, wanted in asks.items()}})
        if asks
        else one
        for one, asks in zip(records, held, strict=True)
    ]


async def translate(state: State, wanted: Iterable[Asked]) -> Translations:
    """Look references up in the links, in as few statements as there are kinds of reference."""
    groups: dict[tuple[str, str, str, str | None, str | None], list[Asked]] = defaultdict(list)
    for ask in wanted:
        groups[ask.entity, ask.source, ask.target, ask.from_company, ask.to_company].append(ask)

    def read(tx: Tx) -> Translations:
        found: Translations = {}
        for (entity, source, target, from_company, to_company), asks in groups.items():
            refs = [(ask.object, ask.key) for ask in asks]
            hits = tx.links.translate(entity, source, target, refs, from_company=from_company, to_company=to_company)
            for ask, ref in zip(asks, refs, strict=True):
                hit = hits.get(ref)
                if hit is not None:
                    found[ask] = Ref(hit.object, hit.key)
        return found

    return await state.read(read) if groups else {}


def theirs(record: Canonical, entity: EntityType, work: Work, side: Side, translations: Translations) -> dict[str, Any]:
    """A record's fields in the other side's terms; references without a counterpart are Unlinked."""
    fields: dict[str, Any] = dict(record.fields)
    for name, value in record.fields.items():
        if isinstance(value, Ref):
            ask = _ask(name, value, entity, work, side)
            fields[name] = translations.get(ask) or Unlinked(ask.entity, value.object, value.key)
    return fields
