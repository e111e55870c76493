"""Bulk loads: new records as a data package, in place of a request each.

An import tells too little about its rows: not what number a row got, and of a failed one at most its key. So only
records that can be found again go this way, those with weft's key in a field or with a key of their own. After
the import they are looked for; what is there was created, and what is not is written singly, which tells in the
environment's own words why. The import has ended by then, so nothing is made twice.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weft.net.errors import MaybeSent, NetError
from weft.net.odata.errors import ODataError
from weft.net.odata.query import Query, any_of
from weft.net.odata.rows import Row
from weft.net.odata.sending import Halt, halt
from weft.records import Error, Item, Outcome
from weft_d365fo import facets
from weft_d365fo.dmf import Dmf, Load, Told
from weft_d365fo.documents import Documents
from weft_d365fo.failures import JUDGE, reading
from weft_d365fo.keys import KeyShape
from weft_d365fo.rows import TERMS, chunks, line_key, line_rows
from weft_d365fo.selection import LinePlan, Plan
from weft_d365fo.values import Unaskable

if TYPE_CHECKING:
    from weft_d365fo.settings import FoSettings
    from weft_d365fo.writing import Writer

LABELS: Mapping[str, str] = {
    "CustomersV3": "Customers V3",
    "VendorsV2": "Vendors V2",
    "ReleasedProductCreationsV2": "Released product creation V2",
    "SalesOrderHeadersV2": "Sales order headers V2",
    "SalesOrderLines": "Sales order lines V2",
    "PurchaseOrderHeadersV2": "Purchase order headers V2",
    "PurchaseOrderLinesV2": "Purchase order lines V2",
    "SalesQuotationHeadersV2": "Sales quotation headers V2",
    "SalesQuotationLines": "Sales quotation lines V2",
}
"""Set -> label of the entity, by which packages name it."""


def fits(settings: FoSettings, items: Sequence[Item]) -> list[Item]:
    """Those that go as packages: new, findable, and enough of their kind."""
    least = settings.package.from_records
    if not least:
        return []
    groups: dict[tuple[int, str, str], list[Item]] = {}
    for item in items:
        lines = [one.object for one in item.mapping.lines.values()]
        known = item.object in LABELS and all(name in LABELS for name in lines)
        if item.op == "create" and not item.key and known and _identified(item):
            groups.setdefault((id(item.mapping), item.object, item.company), []).append(item)
    return [item for group in groups.values() if len(group) >= least for item in group]


def _identified(item: Item) -> bool:
    """Can the record be found again for certain?"""
    own = item.mapping.own_key
    if own is not None and item.data.get(own.field):
        return True
    return all(item.data.get(name) for name in item.mapping.key if name != item.mapping.company)


class Packages:
    """The package loads of one call of ``weft_write``."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.session = writer.session
        self.dmf = Dmf(self.session, writer.ctx.lane)

    async def write(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        """:raises Halt: nothing can be sent any more."""
        groups: dict[tuple[int, str, str], list[Item]] = {}
        for item in items:
            groups.setdefault((id(item.mapping), item.object, item.company), []).append(item)
        for group in groups.values():
            async for outcome in self._group(group):
                yield outcome

    async def _group(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        plan = await self.writer.plan(items[0])
        rows: list[dict[str, Any]] = []
        sent: list[Item] = []
        for item in items:
            try:
                rows.append((await self.writer.creation(item)).body)
                sent.append(item)
            except (Unaskable, facets.Unresolved, ValueError) as error:
                yield Outcome(item.id, "rejected", error=Error("record", str(error)))
        told = await self._load(items[0], items[0].object, rows)
        if told is None:
            words = "the import has not ended within the time set under `package.patience`"
            for item in sent:
                yield Outcome(item.id, "in_doubt", error=Error("endpoint", words))
            return
        found = await self._find(plan, sent)
        there = [item for item in sent if item.id in found]
        for item in there:
            await self.writer.intents.note(item, "header", plan.shape.spell(found[item.id]))
        if plan.lines:
            async for outcome in self._lines(plan, there, found):
                yield outcome
        else:
            for item in there:
                yield Outcome(item.id, "created", key=plan.shape.spell(found[item.id]), company=item.company)
        async for outcome in self._missing(plan, sent, found, told):
            yield outcome

    async def _load(self, item: Item, object: str, rows: Sequence[Mapping[str, Any]]) -> Told | None:
        """Import rows and hear how it went; None when that is not known."""
        columns = list(dict.fromkeys(name for row in rows for name in row))
        load = Load(LABELS[object], [name.upper() for name in columns],
                    [[row.get(name) for name in columns] for row in rows])  # fmt: skip
        from weft_d365fo.dmf import package

        execution = f"weft-{uuid.uuid4()}"
        await self.writer.intents.still_mine()
        try:
            url = await self.dmf.upload(f"{execution}.zip", package(self.session.settings.package.project, [load]))
            await self.writer.intents.still_mine()
            try:
                await self.dmf.start(url, execution, item.company)
            except MaybeSent as error:  # asked about below: the id is ours
                self.session.log.warning("starting import %s was not answered: %s", execution, error)
        except ODataError as error:
            told = JUDGE.told(error)
            raise Halt(error, told) from error
        except NetError as error:
            raise halt(error) from error
        status = await self.dmf.finished(execution)
        if status is None:
            return None
        self.session.log.info("import %s of %d rows into %s: %s", execution, len(rows), load.label, status)
        with reading():
            return await self.dmf.told(execution, status, load.label)

    # -- what became of the rows -------------------------------------------------------------------

    async def _find(self, plan: Plan, items: Sequence[Item]) -> dict[str, Row]:
        """The rows that were made, by item."""
        own = plan.mapping.own_key
        name = own.field if own is not None and items and items[0].data.get(own.field) else plan.shape.fields[0]
        by_value = {str(item.data[name]).casefold(): item for item in items}
        select = tuple(dict.fromkeys([*plan.type.keys, name, *(line.mine for line in plan.lines)]))
        found: dict[str, Row] = {}
        for some in chunks(list(items), TERMS):
            query = Query(select=select, filter=any_of(name, [str(item.data[name]) for item in some]))
            rows = await self.session.rows(plan.object, query, items[0].company, lane=self.writer.ctx.lane)
            # an asterisk in a number asked for stands for any text
            found |= {one.id: row for row in rows if (one := by_value.get(str(row[name]).casefold())) is not None}
        return found

    async def _lines(self, plan: Plan, items: Sequence[Item], found: Mapping[str, Row]) -> AsyncIterator[Outcome]:
        """Lines of the documents that were made, then what the import left out, one document at a time."""
        left: list[Item] = []
        keys: dict[str, dict[str, str]] = {item.id: {} for item in items}
        for line in plan.lines:
            rows: list[dict[str, Any]] = []
            for item in items:
                rows += await self._line_rows(line, item, found[item.id])
            if rows and await self._load(items[0], line.map.object, rows) is None:
                words = "the import of the lines has not ended within the time set under `package.patience`"
                for item in items:
                    key = plan.shape.spell(found[item.id])
                    yield Outcome(item.id, "partial", key=key, error=Error("endpoint", words))
                return
            parents = {str(found[item.id][line.mine]).casefold(): item for item in items}
            held: dict[str, dict[int, str]] = {item.id: {} for item in items}
            values = [found[item.id][line.mine] for item in items]
            for row in await line_rows(self.session, line, items[0].company, values, self.writer.ctx.lane):
                item = parents[str(row[line.map.parent]).casefold()]
                held[item.id][int(row[line.map.order or line.map.key])] = line_key(line, row)
            for item in items:
                mine = [child for child in item.children if child.collection == line.name]
                for place, child in enumerate(mine, 1):
                    if place in held[item.id]:
                        keys[item.id][child.id] = held[item.id][place]
        for item in items:
            if len(keys[item.id]) == len(item.children):
                key = plan.shape.spell(found[item.id])
                yield Outcome(item.id, "created", key=key, company=item.company, children=keys[item.id])
            else:
                item.key = plan.shape.spell(found[item.id])
                left.append(item)
        async for outcome in Documents(self.writer).write(left):
            yield outcome

    async def _line_rows(self, line: LinePlan, item: Item, document: Row) -> list[dict[str, Any]]:
        numbered = line.map.order or line.map.key
        rows: list[dict[str, Any]] = []
        mine = [child for child in item.children if child.collection == line.name and child.op == "create"]
        for place, child in enumerate(mine, 1):
            try:
                body = await self.writer.body(line.map.object, {**child.data, numbered: place}, item.company)
            except (Unaskable, facets.Unresolved, ValueError):
                continue  # told when the document is looked at by itself
            rows.append({line.map.parent: document[line.mine], **body})
        return rows

    async def _missing(
        self, plan: Plan, items: Sequence[Item], found: Mapping[str, Row], told: Told
    ) -> AsyncIterator[Outcome]:
        """Rows the import refused: told by their number or key where it names them, else written singly."""
        again: list[Item] = []
        shape = KeyShape.of(await self.session.type_of(items[0].object), plan.mapping.company) if items else None
        for number, item in enumerate(items, 1):
            if item.id in found:
                continue
            text = told.by_row.get(number)
            if text is None and shape is not None and len(told.texts) == 1 and _named(told, shape, item):
                text = told.texts[0]
            if text:
                yield Outcome(item.id, "rejected", error=Error("record", text))
            else:
                again.append(item)
        stream = Documents(self.writer).write(again) if plan.lines else self.writer.singly(again)
        async for outcome in stream:
            yield outcome


def _named(told: Told, shape: KeyShape, item: Item) -> bool:
    """Is the item among the error keys? Only a key that was given can be recognised."""
    mine = {name.lower(): str(item.data.get(name) or "") for name in shape.fields}
    return all(mine.values()) and any(
        all(row.get(name, "").casefold() == value.casefold() for name, value in mine.items()) for row in told.by_key
    )
