"""Writing: single records in batches, documents with their lines as transactions, lines into open journals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from weft.net.odata.outcomes import failed, until_halt
from weft.net.odata.rows import Row
from weft.net.odata.sending import Answer, Call, Sender
from weft.records import Context, Error, Intents, Item, Outcome, Query, Record
from weft_d365fo import facets, values
from weft_d365fo.bykeys import find
from weft_d365fo.documents import Documents
from weft_d365fo.failures import JUDGE, is_missing, is_stale
from weft_d365fo.journal_names import JOURNALS
from weft_d365fo.journals import Journals
from weft_d365fo.keys import KeyShape
from weft_d365fo.packages import Packages, fits
from weft_d365fo.rows import ETAG, header_tag, records
from weft_d365fo.selection import Plan
from weft_d365fo.session import FoSession
from weft_d365fo.values import Unaskable

CREATION = "ReleasedProductCreationsV2"


def in_steps(item: Item) -> bool:
    """Has it lines, or did an earlier attempt leave steps undone?"""
    return bool(item.children or item.mapping.lines) or (item.op == "create" and bool(item.key))


def conflicts(error: Any) -> bool:
    return is_stale(error) or is_missing(error)


class Writer:
    """One call of ``weft_write``."""

    def __init__(self, ctx: Context, session: FoSession, intents: Intents) -> None:
        self.ctx = ctx
        self.session = session
        self.intents = intents
        settings = session.settings
        self.sender = Sender(
            session.client, intents, ctx.lane, JUDGE, size=settings.batch_size, form="multipart", changesets=True,
            prefer=None,
            at_once=settings.max_concurrency,
        )  # fmt: skip
        self._plans: dict[int, Plan] = {}

    async def write(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        """One outcome an item. Once nothing can be sent any more, the rest is told to be tried later and
        core's exception is raised."""
        async for outcome in until_halt(items, self._write(items)):
            yield outcome

    async def _write(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        bulk = fits(self.session.settings, items)
        loaded = {id(item) for item in bulk}
        rest = [item for item in items if id(item) not in loaded]
        entries = [item for item in rest if item.op == "create" and not item.key and item.object in JOURNALS]
        new = {id(item) for item in entries}
        documents = [item for item in rest if in_steps(item) and id(item) not in new]
        apart = {id(item) for item in (*documents, *entries)}
        simple = [item for item in rest if id(item) not in apart]
        async for outcome in Packages(self).write(bulk):
            yield outcome
        async for outcome in self.singly(simple):
            yield outcome
        async for outcome in Journals(self).write(entries):
            yield outcome
        async for outcome in Documents(self).write(documents):
            yield outcome

    async def singly(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        """Records without lines, each a transaction of its own."""
        units: list[list[Call]] = []
        current = await self.current([item for item in items if item.op != "create" and self._needs_look(item)])
        for item in items:
            try:
                looked = current.get(item.id)
                if item.id in current and (looked is None or self.changed(item, looked)):
                    words = "the record was changed since it was read" if looked else "the record is not there any more"
                    yield Outcome(item.id, "conflict", key=item.key, error=Error("record", words))
                    continue
                calls = await self.calls(item, looked)
            except (Unaskable, facets.Unresolved, ValueError) as error:
                yield Outcome(item.id, "rejected", key=item.key, error=Error("record", str(error)))
                continue
            if calls:
                units.append(calls)
            else:
                yield Outcome(item.id, "unchanged", key=item.key, version=item.version)
        async for unit, answers in self.sender.send_units(units):
            yield await self.outcome(unit[0].item, answers)

    # -- before ------------------------------------------------------------------------------------

    def _needs_look(self, item: Item) -> bool:
        """Must the record be seen before it is changed: to keep segments of a dimension field, or its tag?"""
        return self.session.settings.guard == "compare" or bool(facets.made(item.data))

    async def current(self, items: Sequence[Item]) -> dict[str, Row | None]:
        """The records of items as they are now, by the item's id; None for one that is not there."""
        found: dict[str, Row | None] = {}
        groups: dict[tuple[int, str], list[Item]] = {}
        for item in items:
            groups.setdefault((id(item.mapping), item.company), []).append(item)
        for group in groups.values():
            plan = await self.plan(group[0])
            keys = [item.key for item in group if item.key is not None]
            rows = await find(self.session, plan, group[0].company, keys, self.ctx.lane) if keys else []
            by_key = {plan.shape.spell(row).casefold(): row for row in rows or ()}
            for item in group:
                found[item.id] = by_key.get((item.key or "").casefold())
        return found

    def changed(self, item: Item, row: Row) -> bool:
        """Is it another version than the one the item was decided on?"""
        seen = header_tag(item.version)
        return seen is not None and row.get(ETAG) is not None and row[ETAG] != seen

    async def calls(self, item: Item, current: Row | None = None) -> list[Call]:
        """The requests of an item without lines, one transaction; none when there is nothing to send.

        :raises ValueError: it cannot be sent.
        """
        if item.op == "create":
            return [await self.creation(item)]
        if item.key is None:
            raise ValueError(f"a {item.op} needs the record's key")
        plan = await self.plan(item)
        url = await self.url(item.object, plan.shape, item.key, item.company)
        guard = self.guard(header_tag(item.version))
        if item.op == "delete":
            return [Call(item, "DELETE", url, headers=guard)]
        calls: list[Call] = []
        body = await self.body(item.object, item.data, item.company, current)
        if body:
            calls.append(Call(item, "PATCH", url, body, guard))
        return calls + await self.part_calls(item, plan)

    @staticmethod
    def guard(tag: str | None) -> dict[str, str]:
        return {"If-Match": tag} if tag else {}

    async def url(self, object: str, shape: KeyShape, key: str, company: str) -> str:
        meta = await self.session.metadata()
        return self.session.client.relative(object, shape.url_key(key, company, meta))

    async def creation(self, item: Item, more: Mapping[str, Any] | None = None) -> Call:
        """The request that makes a record."""
        known = await self.session.properties(item.object)
        data = {**item.data, **(more or {})}
        for part in item.mapping.parts:
            for name, value in (data.pop(part, None) or {}).items():
                if name in known:
                    data.setdefault(name, value)
        body = await self.body(item.object, data, item.company)
        shape = KeyShape.of(await self.session.type_of(item.object), item.mapping.company)
        if shape.company is not None and item.company:
            body = {shape.company: item.company, **body}
        if item.object == CREATION:
            body = {**self.session.settings.product_defaults, **body}
        return Call(item, "POST", self.session.client.relative(item.object), body, creates=True)

    async def body(
        self, object: str, data: Mapping[str, Any], company: str, current: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Native data as the body carries it: made fields put together, parts left out."""
        meta = await self.session.metadata()
        known = await self.session.properties(object)
        flat = {name: value for name, value in data.items() if not isinstance(value, dict)}
        return values.body(await facets.resolve(self.session, company, flat, current), known, meta)

    async def part_calls(self, item: Item, plan: Plan) -> list[Call]:
        """Changes of rows that belong to the record."""
        calls: list[Call] = []
        wanted = {part.name: item.data[part.name] for part in plan.parts if item.data.get(part.name)}
        if not wanted or item.object in JOURNALS:  # of a line's journal nothing is changed
            return calls
        row = (await self.current([item]))[item.id] or {}
        for part in plan.parts:
            data = wanted.get(part.name)
            if not data:
                continue
            joined = {theirs: row.get(mine) for theirs, mine in part.map.join.items()}
            if not part.shape.whole(joined):
                raise ValueError(f"{item.mapping.at('parts', part.name)}: the row of {part.map.object} cannot be "
                                 "changed: `join` does not name its whole key")  # fmt: skip
            url = await self.url(part.map.object, part.shape, part.shape.spell(joined), item.company)
            calls.append(Call(item, "PATCH", url, await self.body(part.map.object, data, item.company)))
        return calls

    # -- after -------------------------------------------------------------------------------------

    async def plan(self, item: Item) -> Plan:
        """How an item's record is read."""
        found = self._plans.get(id(item.mapping))
        if found is None:
            meta = await self.session.metadata()
            query = Query("keys", item.mapping, company=item.company)
            found = self._plans[id(item.mapping)] = self.session.plans.plan(query, self.ctx.entity, meta)
        return found

    async def outcome(self, item: Item, answers: Sequence[Answer]) -> Outcome:
        wrong = worst(answers)
        if wrong is not None:
            return failed(item, wrong, conflicts)
        if item.op == "delete":
            return Outcome(item.id, "deleted", key=item.key, company=item.company)
        row = answers[0].row
        if item.op != "create":
            return Outcome(item.id, "updated", key=item.key, company=item.company)
        if row is None:
            words = "the record was made, but the answer does not name it"
            return Outcome(item.id, "in_doubt", error=Error("endpoint", words))
        plan = await self.plan(item)
        if item.object != plan.object:  # made through another set than it is read from
            return Outcome(item.id, "created", key=plan.shape.spell(row), company=item.company)
        record = await self.record(item, row)
        return Outcome(item.id, "created", key=record.key, version=record.version, company=item.company, record=record)

    async def record(self, item: Item, row: Row) -> Record:
        """The representation a write returned."""
        plan = await self.plan(item)
        [record] = await records(self.session, plan, item.company, [row], lane=self.ctx.lane)
        return record


def worst(answers: Sequence[Answer]) -> Answer | None:
    """The answer that tells why a transaction was not carried out; None when it was."""
    for state in ("refused", "doubt", "later"):
        for answer in answers:
            if answer.state == state:
                return answer
    return None
