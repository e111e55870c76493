"""Writing records: creates that find themselves again, guarded updates, documents with their lines.

Every new row gets its Id from here, so a create that is repeated meets its own row: the duplicate-key
answer then says that it was made before. Creatio's batches are not transactions; each row is a step of
its own, and repeating the whole is harmless.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

from weft.errors import AuthError, ConfigError, EndpointDown
from weft.net.errors import AuthError as NetAuthError
from weft.net.failures import lost
from weft.net.odata.batch import Item as Request
from weft.net.odata.literals import guid
from weft.records import Context, Error, Intents, Item, Outcome, Result
from weft_creatio import guard
from weft_creatio.failures import fault_of, is_duplicate, is_missing, told
from weft_creatio.lines import Money, complete, currency_columns, needs_line, with_paid_base, with_rate
from weft_creatio.periods import in_turn, quoted
from weft_creatio.preparing import Job, Line, Unfit, prepare, today
from weft_creatio.sending import Reply, Sender
from weft_creatio.session import CreatioSession


class Writer:
    """Carries out one call of ``weft_write``."""

    def __init__(self, ctx: Context, session: CreatioSession, intents: Intents) -> None:
        self.ctx = ctx
        self.session = session
        self.intents = intents
        self.sender = Sender(session, intents)
        self.money = Money(session, ctx.currencies)
        self._number = 0

    async def write(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        """:raises EndpointDown: the site is away; every item has its outcome by then.
        :raises AuthError: the credentials are refused."""
        jobs: list[Job] = []
        meta = await self.session.metadata()
        for item in items:
            try:
                jobs.append(prepare(self.session, meta, item))
            except Unfit as error:
                yield Outcome(item.id, "rejected", key=item.key, error=error.error)
        failure: Exception | None = None
        try:
            await self._carry_out(jobs)
        except Exception as error:  # raised below: what is known of each item is told first
            failure = error
        for job in jobs:
            if job.outcome is not None:
                yield job.outcome
        if isinstance(failure, NetAuthError):
            raise AuthError(str(failure)) from failure
        if failure is not None:
            raise failure
        if self.sender.down is not None:
            raise self.sender.down

    async def _carry_out(self, jobs: Sequence[Job]) -> None:
        creates = [job for job in jobs if job.item.op == "create"]
        updates = [job for job in jobs if job.item.op in ("update", "deactivate")]
        deletes = [job for job in jobs if job.item.op == "delete"]
        await self._create(creates)
        await self._update(updates)
        await self._delete(deletes)
        for job in jobs:
            if job.outcome is None:
                result: Result = "created" if job.item.op == "create" else "updated"
                job.outcome = Outcome(job.item.id, result, key=job.key, children=dict(job.children))

    # -- create ------------------------------------------------------------------------------------

    async def _create(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        due = [job for job in jobs if not (job.item.key or "header" in self.intents.noted(job.item))]
        for job in jobs:
            noted = self.intents.noted(job.item).get("header")
            if noted and noted.get("key"):
                job.key = str(noted["key"])
                for line in job.lines:
                    line.data[job.item.mapping.lines[_collection(line)].parent] = job.key
        for job in due:
            await with_rate(self.money, job.data, job.type, self.session.settings.prefix, today(self.ctx.clock))
            await with_paid_base(self.money, job.data, {}, job.type)
        await quoted(self.money, due, {})
        due = [job for job in due if job.outcome is None]
        try:
            async with in_turn(self.session, due) as due:
                requests = [self._request("POST", job.object, None, {"Id": job.key, **job.data}) for job in due]
                await self._settle_creates(due, await self.sender.send(requests))
        except EndpointDown as error:
            for job in due:
                if job.outcome is None and not job.attempted:
                    job.fail("retry", Error("endpoint", str(error), retry_after=error.retry_after))
            return
        for job in due:
            if job.outcome is None and (job.lines or job.parts):
                await self.intents.note(job.item, "header", job.key)
        await self._children([job for job in jobs if job.outcome is None], {}, after_header=True)

    async def _settle_creates(self, jobs: Sequence[Job], replies: Sequence[Reply]) -> None:
        unsure: list[tuple[Job, Reply]] = []
        for job, reply in zip(jobs, replies, strict=True):
            job.attempted = reply.state != "unsent"
            if reply.state == "done":
                self.session.learn_identity(reply.body)
            elif reply.state == "unsent":
                job.fail("retry", _why(reply))
            elif reply.state == "lost":
                job.fail("in_doubt", _why(reply))
            elif reply.refusal is not None and is_duplicate(reply.refusal):
                unsure.append((job, reply))
            elif reply.refusal is not None and (reply.status or 0) >= 500:
                unsure.append((job, reply))  # an error may be told after the row was written
            else:
                self._refuse(job, reply)
        await self._look_back(unsure)

    async def _look_back(self, unsure: Sequence[tuple[Job, Reply]]) -> None:
        """Were rows written although the answer was an error?"""
        groups: dict[str, list[tuple[Job, Reply]]] = {}
        for job, reply in unsure:
            groups.setdefault(job.object, []).append((job, reply))
        for object, pairs in groups.items():
            try:
                rows = await guard.held(self.session, object, [job.key for job, _ in pairs], ())
            except (EndpointDown, ConfigError) as error:
                for job, _ in pairs:
                    job.fail("in_doubt", Error("endpoint", f"{_words(pairs[0][1])}; then: {error}"))
                continue
            for job, reply in pairs:
                if job.key not in rows:
                    self._refuse(job, reply)

    # -- update ------------------------------------------------------------------------------------

    async def _update(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        for job in jobs:
            await with_rate(self.money, job.data, job.type, self.session.settings.prefix, today(self.ctx.clock))
        try:
            before = await guard.check(self.session, jobs)
        except EndpointDown as error:
            for job in jobs:
                job.fail("retry", Error("endpoint", str(error), retry_after=error.retry_after))
            return
        await quoted(self.money, jobs, before)
        due = [job for job in jobs if job.outcome is None and job.data]
        for job in due:
            await with_paid_base(self.money, job.data, before.get(job.key, {}), job.type)
        requests = [self._request("PATCH", job.object, job.key, job.data) for job in due]
        for job, reply in zip(due, await self.sender.send(requests), strict=True):
            if reply.state == "done":
                job.attempted = True
            elif reply.state == "failed":
                self._refuse(job, reply)
            else:
                # Repeating a PATCH is harmless; new lines have not been sent yet.
                job.fail("retry", _why(reply))
        await self._children([job for job in jobs if job.outcome is None], before, after_header=False)

    # -- lines and parts ---------------------------------------------------------------------------

    async def _children(self, jobs: Sequence[Job], before: dict[str, Any], *, after_header: bool) -> None:
        if not any(job.lines or job.parts for job in jobs):
            return
        try:
            await guard.part_rows(self.session, jobs)
            for job in jobs:
                await self._amounts(job, before)
        except EndpointDown as error:
            for job in jobs:
                result = "partial" if after_header or job.attempted else "retry"
                job.fail(result, Error("endpoint", str(error), retry_after=error.retry_after))
            return
        order = {"delete": 0, "update": 1, "create": 2}
        steps: list[tuple[Job, Line]] = []
        for job in jobs:
            # One document's lines stay in order and together: the server sums them up after each.
            steps += [(job, line) for line in sorted(job.lines, key=lambda line: order[line.op])]
            steps += [(job, line) for line in job.parts]
        requests = [self._child_request(line) for _, line in steps]
        replies = await self.sender.send(requests)
        unsure: list[tuple[Job, Line, Reply]] = []
        for (job, line), reply in zip(steps, replies, strict=True):
            self._settle_child(job, line, reply, unsure, after_header=after_header)
        await self._look_back_lines(unsure, after_header=after_header)

    async def _amounts(self, job: Job, before: dict[str, Any]) -> None:
        prefix = self.session.settings.prefix
        held = before.get(job.key, {})
        named = [job.data.get(name) or held.get(name) for name in currency_columns(job.type, prefix)]
        own = next(filter(None, named), None)
        for line in job.lines:
            if line.op == "create" and f"{prefix}CurrencyRate" in line.type.properties:
                await with_rate(self.money, line.data, line.type, prefix, today(self.ctx.clock))
            if line.op == "delete" or not needs_line(line.data, line.type, prefix):
                continue
            row = before.get(line.key, {}) if line.op == "update" else {}
            currency = line.data.get("CurrencyId") or row.get("CurrencyId")
            taxes = await self.money.taxes() if "DiscountTax" in line.type.properties else {}
            division = await self.money.division(currency) if row or line.data.get("CurrencyId") else None
            places = await self.money.places(own or currency)
            complete(line.data, row, line.type, prefix, taxes, division or Decimal(1), places)

    def _child_request(self, line: Line) -> Request:
        if line.op == "create":
            return self._request("POST", line.object, None, {"Id": line.key, **line.data})
        if line.op == "delete":
            return self._request("DELETE", line.object, line.key, None)
        return self._request("PATCH", line.object, line.key, line.data)

    def _settle_child(
        self, job: Job, line: Line, reply: Reply, unsure: list[tuple[Job, Line, Reply]], *, after_header: bool
    ) -> None:
        if reply.state == "done":
            job.attempted = True
            self._made(job, line)
            return
        refusal = reply.refusal
        if refusal is not None and line.op == "delete" and is_missing(refusal):
            return
        if refusal is not None and line.op == "create" and (is_duplicate(refusal) or (reply.status or 0) >= 500):
            unsure.append((job, line, reply))
        elif reply.state == "failed":
            self._half_done(job, reply, line, after_header=after_header)
        elif reply.state == "lost" and not after_header and line.op == "create":
            job.fail("in_doubt", _why(reply))
        elif job.outcome is None:
            # Ids are ours: what was written already is met again.
            job.fail("partial" if after_header or job.attempted else "retry", _why(reply))

    async def _look_back_lines(self, unsure: Sequence[tuple[Job, Line, Reply]], *, after_header: bool) -> None:
        groups: dict[str, list[tuple[Job, Line, Reply]]] = {}
        for one in unsure:
            groups.setdefault(one[1].object, []).append(one)
        for object, group in groups.items():
            try:
                rows = await guard.held(self.session, object, [line.key for _, line, _ in group], ())
            except (EndpointDown, ConfigError) as error:
                for job, _, _ in group:
                    job.fail("partial" if after_header else "in_doubt", Error("endpoint", str(error)))
                continue
            for job, line, reply in group:
                if line.key in rows:
                    self._made(job, line)
                else:
                    self._half_done(job, reply, line, after_header=after_header)

    def _made(self, job: Job, line: Line) -> None:
        if line.child is not None and line.op == "create":
            job.children[line.child.id] = line.key

    def _half_done(self, job: Job, reply: Reply, line: Line, *, after_header: bool) -> None:
        """A line was refused: the document stands without it, and says so until it is put right."""
        if job.outcome is not None and job.outcome.result in ("in_doubt", "rejected"):
            return
        error = _why(reply)
        what = f"{line.name or line.object} {line.op}"
        if error is not None:
            error = Error(
                error.fault, f"{what}: {error.message}", field=error.field, status=error.status,
                retry_after=error.retry_after, request_id=error.request_id,
            )  # fmt: skip
        job.fail("partial" if after_header or job.attempted else "rejected", error)

    # -- delete ------------------------------------------------------------------------------------

    async def _delete(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        try:
            await guard.check(self.session, jobs)
        except EndpointDown as error:
            for job in jobs:
                job.fail("retry", Error("endpoint", str(error), retry_after=error.retry_after))
            return
        due = [job for job in jobs if job.outcome is None]
        requests = [self._request("DELETE", job.object, job.key, None) for job in due]
        for job, reply in zip(due, await self.sender.send(requests), strict=True):
            refusal = reply.refusal
            if reply.state == "done" or (refusal is not None and is_missing(refusal)):
                job.outcome = Outcome(job.item.id, "deleted", key=job.key)
            elif reply.state == "failed":
                self._refuse(job, reply)
            else:
                job.fail("retry", _why(reply))

    # -- shared --------------------------------------------------------------------------------------

    def _request(self, method: str, object: str, key: str | None, data: dict[str, Any] | None) -> Request:
        self._number += 1
        url = self.session.client.relative(object, guid(key) if key is not None else None)
        return Request(f"r{self._number}", method, url, data)

    def _refuse(self, job: Job, reply: Reply) -> None:
        refusal = reply.refusal
        if refusal is None:
            job.fail("retry", _why(reply))
            return
        result = "retry" if fault_of(refusal) == "endpoint" else "rejected"
        job.fail(result, told(refusal))


def _collection(line: Line) -> str:
    assert line.child is not None  # lines always come from a child
    return line.child.collection


def _why(reply: Reply) -> Error | None:
    refusal = reply.refusal
    if refusal is not None:
        return told(refusal)
    if reply.error is not None:
        return lost(reply.error)
    return Error("endpoint", "the batch was answered without a word about this request")


def _words(reply: Reply) -> str:
    error = _why(reply)
    return error.message if error is not None else ""
