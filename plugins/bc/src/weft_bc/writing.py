"""Writing: single records in batches, documents with their lines one by one, then actions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from weft.net.odata.outcomes import side_by_side, until_halt
from weft.net.odata.sending import Answer, Call
from weft.records import Context, Error, Intents, Item, Outcome, Query, Record
from weft_bc.dimensions import named, others
from weft_bc.documents import DocumentWriter
from weft_bc.journals import BATCHES, NAMED_BY, batch_id, sayable
from weft_bc.outcomes import failed, key_in, typed
from weft_bc.rows import records
from weft_bc.selection import Plan
from weft_bc.sending import sender
from weft_bc.session import BcSession


def _in_steps(item: Item) -> bool:
    """Does it take more than one request, or did an earlier attempt leave steps undone?"""
    if item.children or item.actions or item.op == "action" or (item.op == "create" and item.key) or named(item.data):
        return True
    return bool(item.mapping.lines) and item.op in ("create", "update")


class Writer:
    """One call of ``weft_write``."""

    def __init__(self, ctx: Context, session: BcSession, intents: Intents) -> None:
        self.ctx = ctx
        self.session = session
        self.intents = intents
        self.sender = sender(session, intents, ctx.lane)
        self._plans: dict[int, Plan] = {}

    async def write(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        """One outcome an item. Once nothing can be sent any more, the rest is told to be tried later and
        core's exception is raised."""
        async for outcome in until_halt(items, self._write(items)):
            yield outcome

    async def _write(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        simple: list[Call] = []
        documents: list[Item] = []
        for item in items:
            try:
                await sayable(self.session, item)
                if _in_steps(item):
                    documents.append(item)
                else:
                    simple.append(await self._call(item))
            except ValueError as error:
                yield Outcome(item.id, "rejected", key=item.key, error=Error("record", str(error)))
        async for call, answer in self.sender.send_all([c for c in simple if c.method]):
            yield await self._outcome(call.item, answer)
        for call in simple:
            if not call.method:
                yield Outcome(call.item.id, "unchanged", key=call.item.key, version=call.item.version)
        async for outcome in side_by_side(documents, self._document, self.session.settings.max_concurrency):
            yield outcome

    async def _document(self, item: Item) -> Outcome:
        return await DocumentWriter(self, await self.plan(item), item).write()

    # -- pieces ------------------------------------------------------------------------------------

    async def plan(self, item: Item) -> Plan:
        """How an item's record is read; needed to return its representation."""
        found = self._plans.get(id(item.mapping))
        if found is None:
            meta = await self.session.metadata()
            query = Query("keys", item.mapping, company=item.company)
            found = self._plans[id(item.mapping)] = self.session.plans.plan(query, self.ctx.entity, meta)
        return found

    async def _call(self, item: Item) -> Call:
        """The single request of an item without lines; one without a method has nothing to send."""
        session = self.session
        if item.op == "create":
            path, body = await self.new(item)
            return Call(item, "POST", path, body, creates=True)
        if item.key is None:
            raise ValueError(f"a {item.op} needs the record's key")
        url = session.path(item.company, (item.object, session.key(item.key)))
        guard = {"If-Match": item.version or "*"}
        if item.op == "delete":
            return Call(item, "DELETE", url, headers=guard)
        body = await self.body(item.object, item.data)
        if not body:
            return Call(item, "", url)
        return Call(item, "PATCH", url, body, guard)

    async def new(self, item: Item) -> tuple[str, dict[str, Any]]:
        """Where a new record is posted to, and the body: a line of a journal goes into its batch."""
        session = self.session
        body = await self.body(item.object, item.data)
        batches = BATCHES.get(item.object)
        if batches is None:
            return session.path(item.company, item.object), body
        journal = await batch_id(session, item.company, item.object, str(item.data.get(NAMED_BY) or ""))
        body.pop(NAMED_BY, None)
        return session.path(item.company, (batches, session.key(journal)), item.object), body

    async def body(self, object: str, data: Mapping[str, Any]) -> dict[str, Any]:
        meta = await self.session.metadata()
        known = await self.session.properties(object)
        return typed(others(data), known, meta)

    async def _outcome(self, item: Item, answer: Answer) -> Outcome:
        if answer.state != "done":
            return failed(item, answer)
        if item.op == "delete":
            return Outcome(item.id, "deleted", key=item.key, company=item.company)
        row = answer.row
        if row is None:
            key = item.key or key_in(answer.location)
            return Outcome(item.id, "created" if item.op == "create" else "updated", key=key, version=answer.etag)
        record = await self.record(item, row)
        return Outcome(
            item.id, "created" if item.op == "create" else "updated", key=record.key, version=record.version,
            company=item.company, record=record,
        )  # fmt: skip

    async def record(self, item: Item, row: dict[str, Any]) -> Record:
        """The representation a write returned."""
        plan = await self.plan(item)
        [record] = await records(self.session, plan, item.company, [row], lane=self.ctx.lane)
        return record
