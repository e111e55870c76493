"""A document and its lines, step by step, and the actions due afterwards.

A new document goes in one request, header and lines together: one transaction on the server. Changes
go step by step, because the service cannot update header and lines in one: header, then each line
under its own tag, read again whenever a step may have moved the tags. Steps are noted, so a restart
continues where it ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.net.errors import MaybeSent, NetError
from weft.net.failures import lost
from weft.net.odata.errors import ODataError
from weft.net.odata.query import Query as ODataQuery
from weft.net.odata.rows import Row
from weft.net.odata.sending import Answer, Call, halt
from weft.records import Child, Error, Item, Outcome
from weft_bc.dimensions import named, others, put
from weft_bc.failures import DUPLICATE, is_missing, is_outage, reading, told
from weft_bc.outcomes import failed, set_in, typed
from weft_bc.receipts import receive
from weft_bc.rows import ETAG
from weft_bc.selection import LinePlan, Plan
from weft_bc.session import Primary
from weft_bc.values import one_discount

if TYPE_CHECKING:
    from weft_bc.writing import Writer

STEP = 10_000
"""Distance of line numbers, as the service makes them."""
SUBJECT = ("itemId", "accountId", "lineObjectNumber", "lineType")
NOT_POSTED = ("Draft", "In_x0020_Review", "_x0020_")
POSTS = ("post", "postAndSend")


class _Failed(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.result)
        self.outcome = outcome


class DocumentWriter:
    """Writes one item with children or actions."""

    def __init__(self, writer: Writer, plan: Plan, item: Item) -> None:
        self.writer = writer
        self.session = writer.session
        self.sender = writer.sender
        self.plan = plan
        self.item = item
        self.lines = {line.name: line for line in plan.lines}
        self.durable = item.op == "create" or any(child.op == "create" for child in item.children)
        self.noted = writer.intents.noted(item)
        self.done = bool(self.noted)
        self.keys: dict[str, str] = {}
        self.moved = False
        self.whole = False
        """Nothing that was sent can have been changed by somebody else in what was read since."""

    async def write(self) -> Outcome:
        """:raises Halt: nothing can be sent any more."""
        item = self.item
        key = item.key or str((self.noted.get("header") or {}).get("key") or "") or None
        creating = item.op == "create"
        row: Row | None = None
        try:
            self._check_lines()
            if creating:
                row, key = await self._create(key)
            elif key is None:
                return Outcome(item.id, "rejected", error=Error("record", f"a {item.op} needs the record's key"))
            elif item.op != "action":
                row = await self._update(key)
            if item.actions:
                row = await self._act(key, row)
        except _Failed as failure:
            outcome = failure.outcome
            outcome.key = outcome.key or key
            outcome.children = dict(self.keys)
            return outcome
        result = "created" if creating else "updated"
        outcome = Outcome(item.id, result, key=key, company=item.company, children=dict(self.keys))  # type: ignore[arg-type]
        if row is not None and self.whole and not self.moved:
            outcome.record = await self.writer.record(item, row)
            outcome.version = outcome.record.version
        return outcome

    # -- a new document ----------------------------------------------------------------------------

    async def _create(self, key: str | None) -> tuple[Row, str]:
        numbers = self._numbers()
        row: Row | None = None
        if key is None:
            answer = await self.sender.send(await self._deep_insert(numbers))
            if answer.state != "done" or answer.row is None:
                raise _Failed(failed(self.item, answer))
            row = answer.row
            key = str(row[self.plan.key])
            await self._note("header", key)
        self.whole = row is not None and all(line.expand.name in row for line in self.plan.lines)
        if row is None or not self.whole:
            row = await self._read(key)
        self._match_new(row, numbers)
        after = await self._dimensions(key)
        self.whole = self.whole and after is None
        return after or row, key

    async def _deep_insert(self, numbers: dict[str, int]) -> Call:
        item, session = self.item, self.session
        meta = await session.metadata()
        path, body = await self.writer.new(item)
        for line in self.plan.lines:
            rows = [child for child in item.children if child.collection == line.name and child.op == "create"]
            if rows:
                known = await session.properties(line.map.object)
                body[line.expand.name] = [
                    {**self._place(line, numbers[child.id]), **typed(one_discount(others(child.data)), known, meta)}
                    for child in rows
                ]
        expand = ODataQuery(expand=self.plan.expand)
        return Call(item, "POST", session.client.relative(path, None, expand), body, creates=True)

    def _numbers(self) -> dict[str, int]:
        """Line numbers we choose, so that the lines are recognised in what comes back, whatever further
        lines (extended texts, charges) the service adds between them."""
        numbers: dict[str, int] = {}
        for name in self.lines:
            rows = [child for child in self.item.children if child.collection == name and child.op == "create"]
            for place, child in enumerate(rows, 1):
                numbers[child.id] = place * STEP
        return numbers

    def _place(self, line: LinePlan, number: int) -> dict[str, Any]:
        return {line.map.order: number} if line.map.order else {}

    def _match_new(self, row: Row, numbers: dict[str, int]) -> None:
        for name, line in self.lines.items():
            found = list(row.get(line.expand.name) or ())
            by_number = {one.get(line.map.order): one for one in found} if line.map.order else {}
            mine = [child for child in self.item.children if child.collection == name and child.op == "create"]
            for place, child in enumerate(mine):
                one = by_number.get(numbers[child.id])
                if one is None and line.map.order is None and place < len(found):
                    one = found[place]
                if one is not None:
                    self.keys[child.id] = str(one[line.map.key])

    def _check_lines(self) -> None:
        for child in self.item.children:
            line = self.lines.get(child.collection)
            if line is None:
                words = f"the mapping of {self.item.object} has no lines {child.collection!r}"
                raise _Failed(Outcome(self.item.id, "rejected", error=Error("configuration", words)))
            subject = any(child.data.get(name) for name in SUBJECT)
            if child.op == "create" and "quantity" in child.data and not subject:
                words = (
                    f"line {child.data.get('description') or child.id} names neither item nor account: Business "
                    "Central would make it a comment without an amount; link the product, or map lineType and "
                    "lineObjectNumber"
                )
                error = Error("record", words, code="line_without_subject")
                raise _Failed(Outcome(self.item.id, "rejected", error=error))

    # -- an existing document ----------------------------------------------------------------------

    async def _update(self, key: str) -> Row | None:
        """The document as it is now, where actions are to follow."""
        item, session = self.item, self.session
        resumed = self.done
        path = session.path(item.company, (item.object, session.key(key)))
        body = await self.writer.body(item.object, item.data)
        if body and "header" not in self.noted:
            answer = await self.sender.send(Call(item, "PATCH", path, body, {"If-Match": item.version or "*"}))
            self._must(answer)
            await self._note("header", key)
        elif (item.children or item.data) and item.version is not None and not resumed:
            # The header's tag stands for the lines too: it changes with every write to them.
            row = await self._read(key)
            if row.get(ETAG) != item.version:
                words = "the document was changed since it was read"
                raise _Failed(Outcome(item.id, "conflict", error=Error("record", words)))
        row = await self._read(key)
        stale = False
        for child in item.children:
            if f"line:{child.id}" in self.noted:
                noted_key = self.noted[f"line:{child.id}"].get("key")
                if noted_key and child.op == "create":
                    self.keys[child.id] = str(noted_key)
                continue
            if stale:
                row = await self._read(key)
            await self._line(path, row, child)
            stale = True
        after = await self._dimensions(key)
        if after is not None or not item.actions:
            return after
        return await self._read(key) if stale else row

    async def _dimensions(self, key: str) -> Row | None:
        """Dimensions of the document and of its lines, which have rows of their own. Returns the document as it is
        then, None when there were none to set."""
        item, session = self.item, self.session
        wanted = [(item.object, key, named(item.data))]
        for child in item.children:
            line_key = self.keys.get(child.id) or child.key
            if child.op != "delete" and line_key is not None:
                wanted.append((self.lines[child.collection].map.object, line_key, named(child.data)))
        put_any = False
        for object, record, values in wanted:
            if item.op == "create":
                values = {code: value for code, value in values.items() if value}
            if values:
                put_any = True
                with reading():
                    answer = await put(session, self.sender, item, object, record, values)
                if answer is not None:
                    self.done = True
                    self._must(answer)
        return await self._read(key) if put_any else None

    async def _line(self, path: str, row: Row, child: Child) -> None:
        session, item = self.session, self.item
        line = self.lines[child.collection]
        meta = await session.metadata()
        known = await session.properties(line.map.object)
        body = typed(one_discount(others(child.data)), known, meta)
        there = {str(one[line.map.key]): one for one in row.get(line.expand.name) or ()}
        url = f"{path}/{line.expand.name}"
        if child.op == "create":
            await self._new_line(url, line, there, child, body)
            return
        current = there.get(child.key or "")
        if current is None:
            if child.op == "delete":
                return  # somebody else deleted it: that is what was wanted
            words = f"the line {child.key} is no longer there"
            raise _Failed(self._part(Outcome(item.id, "conflict", error=Error("record", words))))
        target = session.path(item.company, (item.object, session.key(str(row[self.plan.key]))))
        where = f"{target}/{line.expand.name}({session.key(child.key or '')})"
        guard = {"If-Match": str(current.get(ETAG) or "*")}
        if child.op == "delete":
            call = Call(item, "DELETE", where, headers=guard)
        elif body:
            call = Call(item, "PATCH", where, body, guard)
        else:
            return
        self._must(await self.sender.send(call))
        await self._note(f"line:{child.id}", child.key)

    async def _new_line(
        self, url: str, line: LinePlan, there: dict[str, Row], child: Child, body: dict[str, Any]
    ) -> None:
        """With a number of ours, noted before it is sent: should the answer be lost, the number tells
        whether the line was made."""
        order = line.map.order
        step = f"number:{child.id}"
        number = (self.noted.get(step) or {}).get("number")
        if order is not None and number is None:
            number = (max((int(one.get(order) or 0) for one in there.values()), default=0) // STEP + 1) * STEP
            await self._note(step, None, number=number)
        elif order is not None:
            for key, one in there.items():
                if one.get(order) == number:
                    self.keys[child.id] = key
                    await self._note(f"line:{child.id}", key)
                    return
        place = {order: number} if order is not None else {}
        answer = await self.sender.send(Call(self.item, "POST", url, {**place, **body}, creates=True))
        if answer.odata is not None and answer.odata.code == DUPLICATE:
            words = "a line with this number was added meanwhile"
            raise _Failed(self._part(Outcome(self.item.id, "conflict", error=Error("record", words, code=DUPLICATE))))
        self._must(answer)
        if answer.row is not None:
            self.keys[child.id] = str(answer.row[line.map.key])
        await self._note(f"line:{child.id}", self.keys.get(child.id))

    # -- actions -----------------------------------------------------------------------------------

    async def _act(self, key: str | None, row: Row | None) -> Row | None:
        item, session = self.item, self.session
        if key is None:
            return row
        self.whole = item.op == "action"
        etag = str(row.get(ETAG)) if row is not None and row.get(ETAG) else item.version
        for name in item.actions:
            if f"action:{name}" in self.noted:
                continue
            native = item.mapping.actions.get(name)
            if native is None:
                words = f"{item.mapping.at('actions')}: the mapping has no action {name!r}"
                raise _Failed(self._part(Outcome(item.id, "rejected", error=Error("configuration", words))))
            if native in POSTS and row is None:
                row = await self._read(key)
            if native in POSTS and row is not None and row.get("status", "Draft") not in NOT_POSTED:
                await self._note(f"action:{name}", key)
                continue  # an earlier attempt posted it, its answer was lost
            set_, dot, action = native.rpartition(".")
            if action == "receive":
                row = await self._read(key)
                with reading():
                    refused = await receive(session, self.sender, item, row)
                if refused is not None:
                    self.done = True
                    self._must(refused)
                await self._note(f"action:{name}", key)
                row = await self._read(key)
                etag = str(row.get(ETAG) or "") or None
                continue
            if dot:  # lines of a journal are posted with their batch, which any journal's id opens
                row = row or await self._read(key)
                target, guard = (set_, session.key(str(row.get("journalId")))), {}
            else:
                target, guard = (item.object, session.key(key)), {"If-Match": etag or "*"}
            url = f"{session.path(item.company, target)}/Microsoft.NAV.{action}"
            answer = await self.sender.send(Call(item, "POST", url, headers=guard))
            self._must(answer)
            await self._note(f"action:{name}", key)
            self.moved = bool(dot) or set_in(answer.location) not in (None, item.object)
            if self.moved:
                return None
            row = await self._read(key)
            etag = str(row.get(ETAG) or "") or None
        return row if row is not None else await self._read(key)

    # -- pieces ------------------------------------------------------------------------------------

    def _must(self, answer: Answer) -> None:
        if answer.state != "done":
            outcome = failed(self.item, answer)
            missing = answer.odata is not None and is_missing(answer.odata)
            if missing and outcome.result == "rejected":
                outcome.result = "conflict"
            if outcome.result == "rejected" and self.item.op == "create" and self.done:
                # The record is in; a rejection would have a second one made once people have put things right.
                outcome.result = "partial"
            raise _Failed(self._part(outcome))

    def _part(self, outcome: Outcome) -> Outcome:
        """Something of the document is in already: trying again continues there."""
        if outcome.result == "retry" and self.done and self.durable:
            outcome.result = "partial"
        return outcome

    async def _note(self, step: str, key: str | None, **data: Any) -> None:
        """Only creates have an intent to note steps with; without one a retry starts over, guarded."""
        if not step.startswith("number:"):
            self.done = True
        if self.durable:
            await self.writer.intents.note(self.item, step, key, **data)

    async def _read(self, key: str) -> Row:
        """The document as it is now, on the primary."""
        session, item = self.session, self.item
        path = session.path(item.company, self.plan.object)
        query = ODataQuery(expand=self.plan.expand)
        try:
            return await session.client.get(
                path, session.key(key), query, headers=dict(Primary), lane=self.writer.ctx.lane
            )
        except ODataError as error:
            if is_missing(error):
                result = "in_doubt" if item.op == "create" else "conflict"
                raise _Failed(Outcome(item.id, result, key=key, error=told(error))) from error  # type: ignore[arg-type]
            if is_outage(error):
                raise _Failed(self._part(Outcome(item.id, "retry", key=key, error=told(error)))) from error
            raise _Failed(self._part(Outcome(item.id, "retry", key=key, error=told(error)))) from error
        except MaybeSent as error:
            raise _Failed(self._part(Outcome(item.id, "retry", key=key, error=lost(error)))) from error
        except NetError as error:
            if self.done:
                words = halt(error).error
                raise _Failed(self._part(Outcome(item.id, "retry", key=key, error=words))) from error
            raise halt(error) from error
