"""Documents and their lines.

A new document takes two steps: its header, which gets its number from the environment, and all its lines in one
transaction. Headers of many documents share a batch, and so do their lines. A change goes in one transaction,
header and lines together. What is made once only is noted before it is sent: lines carry numbers of ours, by
which they are recognised should the answer be lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from weft.net.odata.outcomes import failed
from weft.net.odata.rows import Row
from weft.net.odata.sending import Answer, Call
from weft.records import Child, Error, Item, Outcome, Result
from weft_d365fo import facets
from weft_d365fo.failures import exists_already, is_missing, is_stale
from weft_d365fo.rows import ETAG, chunks, document_version, line_key, line_rows, same_document
from weft_d365fo.selection import LinePlan, Plan
from weft_d365fo.settled import account_of, settled
from weft_d365fo.values import Unaskable

if TYPE_CHECKING:
    from weft_d365fo.writing import Writer

UNIT = 1000
"""Lines in one transaction; the service takes 5,000 operations a batch."""


@dataclass
class Document:
    """One document on its way. ``lines``: rows by line plan and key, where they were read."""

    item: Item
    plan: Plan
    noted: dict[str, dict[str, Any]]
    key: str | None = None
    row: Row | None = None
    lines: dict[str, dict[str, Row]] = field(default_factory=dict)
    units: list[list[Call]] = field(default_factory=list)
    children: list[list[Child | None]] = field(default_factory=list)
    """The line each call of a unit is about."""
    keys: dict[str, str] = field(default_factory=dict)
    fresh: bool = False
    """Made just now: there can be no line yet."""
    done: bool = False
    """Something of it is in."""

    @property
    def creating(self) -> bool:
        return self.item.op == "create"

    def line(self, child: Child) -> LinePlan | None:
        return next((line for line in self.plan.lines if line.name == child.collection), None)


class Documents:
    """The documents of one call of ``weft_write``."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.session = writer.session
        self.intents = writer.intents
        self.sender = writer.sender

    async def write(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        """:raises Halt: nothing can be sent any more."""
        documents: list[Document] = []
        for item in items:
            noted = self.intents.noted(item)
            key = item.key or str((noted.get("header") or {}).get("key") or "") or None
            document = Document(item, await self.writer.plan(item), noted, key, done="header" in noted)
            wrong = self._wrong(document)
            if wrong is not None:
                yield wrong
            else:
                documents.append(document)
        ready: list[Document] = []
        async for outcome in self._headers([d for d in documents if d.creating and d.key is None], ready):
            yield outcome
        ready += [d for d in documents if d.key is not None and not d.fresh]
        async for outcome in self._prepared(ready):
            yield outcome
        async for outcome in self._sent([d for d in ready if d.units]):
            yield outcome

    def _wrong(self, document: Document) -> Outcome | None:
        item = document.item
        if not document.creating and document.key is None:
            return Outcome(item.id, "rejected", error=Error("record", f"a {item.op} needs the record's key"))
        for child in item.children:
            if document.line(child) is None:
                words = f"the mapping of {item.object} has no lines {child.collection!r}"
                return Outcome(item.id, "rejected", error=Error("configuration", words))
        return None

    # -- headers -----------------------------------------------------------------------------------

    async def _headers(self, documents: Sequence[Document], ready: list[Document]) -> AsyncIterator[Outcome]:
        calls: list[Call] = []
        by_item = {id(document.item): document for document in documents}
        for document in documents:
            try:
                calls.append(await self.writer.creation(document.item))
            except (Unaskable, facets.Unresolved, ValueError) as error:
                yield Outcome(document.item.id, "rejected", error=Error("record", str(error)))
        async for call, answer in self.sender.send_all(calls):
            document = by_item[id(call.item)]
            if answer.state != "done" or answer.row is None:
                yield failed(call.item, answer if answer.state != "done" else _nameless(answer), _conflicts)
                continue
            document.row, document.fresh, document.done = answer.row, True, True
            document.key = document.plan.shape.spell(answer.row)
            await self.intents.note(call.item, "header", document.key)
            ready.append(document)

    # -- what is to be sent ------------------------------------------------------------------------

    async def _prepared(self, documents: Sequence[Document]) -> AsyncIterator[Outcome]:
        """Fill in the units of documents; those with nothing to send, or that cannot be sent, are told."""
        await self._look([d for d in documents if not d.fresh and self._needs_look(d)])
        for document in documents:
            try:
                outcome = await self._prepare(document)
            except (Unaskable, facets.Unresolved, ValueError) as error:
                # With its header in, a rejection would have a second one made.
                result: Result = "partial" if document.creating and document.done else "rejected"
                outcome = Outcome(document.item.id, result, key=document.key, error=Error("record", str(error)))
            if outcome is not None:
                outcome.children = dict(document.keys)
                document.units.clear()
                yield outcome

    def _needs_look(self, document: Document) -> bool:
        item = document.item
        return (
            document.creating
            or bool(item.children)
            or item.op == "delete"
            or self.session.settings.guard == "compare"
            or bool(facets.made(item.data))
        )

    async def _look(self, documents: Sequence[Document]) -> None:
        groups: dict[tuple[int, str], list[Document]] = {}
        for document in documents:
            document.item.key = document.key
            groups.setdefault((id(document.item.mapping), document.item.company), []).append(document)
        for group in groups.values():
            plan, company = group[0].plan, group[0].item.company
            current = await self.writer.current([document.item for document in group])
            for document in group:
                document.row = current[document.item.id]
                document.lines = {line.name: {} for line in plan.lines}
            there = [document for document in group if document.row is not None]
            for line in plan.lines:
                rows = await line_rows(
                    self.session, line, company, [(d.row or {})[line.mine] for d in there], self.writer.ctx.lane
                )
                for row in rows:
                    for document in there:
                        if same_document(line, row, document.row or {}):
                            document.lines[line.name][line_key(line, row)] = row

    async def _prepare(self, document: Document) -> Outcome | None:
        item = document.item
        looked = not document.fresh and self._needs_look(document)
        if looked and document.row is None:
            words = "the document is not there any more"
            lost: Result = "in_doubt" if document.creating else "deleted" if item.op == "delete" else "conflict"
            return Outcome(item.id, lost, key=document.key, error=Error("record", words))
        resumed = any(step.startswith(("header", "number:")) for step in document.noted)
        if not document.creating and not resumed and looked and self._changed(document):
            words = "the document was changed since it was read"
            return Outcome(item.id, "conflict", key=document.key, error=Error("record", words))
        calls: list[Call] = []
        children: list[Child | None] = []
        if item.op == "delete":
            calls = await self._deletion(document)
            children = [None] * len(calls)
        else:
            if not document.creating:
                calls += await self._changes(document)
                children += [None] * len(calls)
            for child in item.children:
                call = await self._line(document, child)
                if isinstance(call, Outcome):
                    return call
                if call is not None:
                    calls.append(call)
                    children.append(child)
        if not calls:
            result: Result = "created" if document.creating else "unchanged"
            return Outcome(item.id, result, key=document.key, company=item.company)
        document.units = [list(some) for some in chunks(calls, UNIT)]
        document.children = [list(some) for some in chunks(children, UNIT)]
        return None

    def _changed(self, document: Document) -> bool:
        version = document.item.version
        if version is None or document.row is None or document.row.get(ETAG) is None:
            return False
        tags = [(key, row.get(ETAG)) for rows in document.lines.values() for key, row in rows.items()]
        return document_version(document.row[ETAG], tags) != version if document.plan.lines else False

    async def _changes(self, document: Document) -> list[Call]:
        """The header's own changes."""
        item, row = document.item, document.row
        tag = row.get(ETAG) if row is not None else None
        looked = replace(item, children=[], version=item.version if tag is None else tag)
        return await self.writer.calls(looked, row)

    async def _deletion(self, document: Document) -> list[Call]:
        """Lines first: some headers cannot go before them."""
        item = document.item
        calls: list[Call] = []
        for line in document.plan.lines:
            for row in document.lines.get(line.name, {}).values():
                url = await self.writer.url(line.map.object, line.shape, line.shape.spell(row), item.company)
                calls.append(Call(item, "DELETE", url, headers=self.writer.guard(row.get(ETAG))))
        url = await self.writer.url(item.object, document.plan.shape, document.key or "", item.company)
        tag = (document.row or {}).get(ETAG) if not calls else None  # its lines' going changes a header
        return [*calls, Call(item, "DELETE", url, headers=self.writer.guard(tag))]

    # -- lines -------------------------------------------------------------------------------------

    async def _line(self, document: Document, child: Child) -> Call | Outcome | None:
        """The request for one line; None when it is done already."""
        item = document.item
        line = document.line(child)
        assert line is not None  # looked at first
        there = document.lines.get(line.name, {})
        if child.op == "create":
            return await self._new_line(document, line, there, child)
        row = there.get(child.key or "")
        if row is None:
            if child.op == "delete":
                return None  # somebody else deleted it: that is what was wanted
            words = f"the line {child.key} is no longer there"
            return Outcome(item.id, "conflict", key=document.key, error=Error("record", words))
        url = await self.writer.url(line.map.object, line.shape, line.shape.spell(row), item.company)
        guard = self.writer.guard(row.get(ETAG))
        if child.op == "delete":
            return Call(item, "DELETE", url, headers=guard)
        body = await self.writer.body(line.map.object, child.data, item.company, row)
        return Call(item, "PATCH", url, body, guard) if body else None

    async def _new_line(self, document: Document, line: LinePlan, there: dict[str, Row], child: Child) -> Call | None:
        item = document.item
        if line.map.join:
            return await self._joined_line(document, line, there, child)
        numbered = line.map.order or line.map.key
        number = await self._number(document, line, there, child, numbered)
        for key, row in there.items():
            if row.get(numbered) == number:
                document.keys[child.id] = key
                return None  # an earlier attempt made it, its answer was lost
        data = {**child.data, numbered: number}
        body = await self.writer.body(line.map.object, data, item.company)
        parent = {line.map.parent: (document.row or {})[line.mine]}
        company = {line.shape.company: item.company} if line.shape.company and item.company else {}
        url = self.session.client.relative(line.map.object)
        return Call(item, "POST", url, {**company, **parent, **body}, creates=True)

    async def _joined_line(
        self, document: Document, line: LinePlan, there: dict[str, Row], child: Child
    ) -> Call | None:
        """A row whose key says what it is about, the document's key among it."""
        row = document.row or {}
        item = replace(document.item, children=[child])
        [child] = (await settled(self.writer, item, await account_of(self.writer, row))).children
        body = await self.writer.body(line.map.object, child.data, item.company)
        placed = {theirs: row[mine] for theirs, mine in line.joined}
        company = {line.shape.company: item.company} if line.shape.company else {}
        key = line_key(line, {**body, **placed})
        if key in there:
            document.keys[child.id] = key
            return None  # an earlier attempt made it, its answer was lost
        url = self.session.client.relative(line.map.object)
        return Call(document.item, "POST", url, {**company, **placed, **body}, creates=True)

    async def _number(
        self, document: Document, line: LinePlan, there: dict[str, Row], child: Child, numbered: str
    ) -> int:
        """The line's number: its place in a new document, the next free one in an existing one."""
        if document.creating:
            mine = [one for one in document.item.children if one.collection == line.name and one.op == "create"]
            return mine.index(child) + 1
        step = f"number:{child.id}"
        number = (document.noted.get(step) or {}).get("number")
        if number is None:
            used = [int(row.get(numbered) or 0) for row in there.values()]
            used += [int(one.get("number") or 0) for name, one in document.noted.items() if name.startswith("number:")]
            number = max(used, default=0) + 1
            document.noted[step] = {"number": number}
            await self.intents.note(document.item, step, None, number=number)
        return int(number)

    # -- sending -----------------------------------------------------------------------------------

    async def _sent(self, documents: Sequence[Document]) -> AsyncIterator[Outcome]:
        at = 0
        left = list(documents)
        while left:
            by_item = {id(document.item): document for document in left}
            calling = {id(call): id(document.item) for document in left for call in document.units[at]}
            left = []
            async for unit, answers in self.sender.send_units([d.units[at] for d in by_item.values()]):
                document = by_item[calling[id(unit[0])]]
                outcome = await self._told(document, document.children[at], answers)
                if outcome is not None:
                    yield outcome
                elif at + 1 < len(document.units):
                    left.append(document)
                else:
                    yield self._finished(document)
            at += 1

    async def _told(
        self, document: Document, children: Sequence[Child | None], answers: Sequence[Answer]
    ) -> Outcome | None:
        from weft_d365fo.writing import worst

        item = document.item
        wrong = worst(answers)
        if wrong is None:
            document.done = True
            for child, answer in zip(children, answers, strict=True):
                line = document.line(child) if child is not None else None
                if child is None or line is None or child.op != "create":
                    continue
                if answer.row is not None:
                    document.keys[child.id] = line_key(line, answer.row)
            return None
        outcome = failed(item, wrong, _conflicts)
        outcome.key, outcome.children = document.key, dict(document.keys)
        if wrong.odata is not None and exists_already(wrong.odata):
            # somebody else took the number meanwhile
            for child in children:
                if child is not None and child.op == "create" and not document.creating:
                    await self.intents.note(item, f"number:{child.id}", None, number=None)
            outcome.result = "conflict"
        if document.creating:
            # The header is in, whatever became of the lines: their numbers tell. Refused ones are tried again
            # under it once somebody has put things right; a rejection would have a second header made.
            outcome.result = "partial"
        return outcome

    def _finished(self, document: Document) -> Outcome:
        item = document.item
        result: Result = "created" if document.creating else "deleted" if item.op == "delete" else "updated"
        return Outcome(item.id, result, key=document.key, company=item.company, children=dict(document.keys))


def _conflicts(error: Any) -> bool:
    return is_stale(error) or is_missing(error)


def _nameless(answer: Answer) -> Answer:
    return Answer("doubt", error=Error("endpoint", "the document was made, but the answer does not name it"))
