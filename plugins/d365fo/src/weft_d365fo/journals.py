"""Lines of journals that are records of their own: payments, checks, deposits, card charges, sales prices.

They go into an open journal of weft's, found by its description and opened when there is none. Two writers at
once in one journal are refused by the environment, so lines go one after the other, and again after a conflict.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weft.net.odata.outcomes import failed
from weft.net.odata.query import Query, and_, eq
from weft.net.odata.sending import Answer, Call, Sender
from weft.records import Error, Item, Outcome
from weft_d365fo import facets
from weft_d365fo.documents import Documents
from weft_d365fo.failures import JUDGE, exists_already
from weft_d365fo.journal_names import JOURNALS, NAME, usual
from weft_d365fo.settled import account_of, settled
from weft_d365fo.values import Unaskable, asked

if TYPE_CHECKING:
    from weft_d365fo.writing import Writer

NUMBER = "LineNumber"
ATTEMPTS = 5


class Journals:
    """The journal lines of one call of ``weft_write``."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.session = writer.session
        settings = self.session.settings
        self.sender = Sender(
            self.session.client, writer.intents, writer.ctx.lane, JUDGE, size=settings.batch_size, form="multipart",
            changesets=True,
            prefer=None, at_once=1,
        )  # fmt: skip

    async def write(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        """:raises Halt: nothing can be sent any more."""
        groups: dict[tuple[str, str, str], list[Item]] = {}
        for item in items:
            groups.setdefault((item.company, item.object, self._name(item)), []).append(item)
        for (company, object, name), group in groups.items():
            if not name:
                for item in group:
                    words = f"{item.mapping.at()}: no journal is named for new lines; see `journals` in the connection"
                    yield Outcome(item.id, "rejected", error=Error("configuration", words))
                continue
            async with self.session.locks[company, object, name]:
                async for outcome in self._into(company, object, name, group):
                    yield outcome

    def _name(self, item: Item) -> str:
        """The journal's name: of the mapping's part ``header``, or the connection's for this kind of lines."""
        given = (item.data.get("header") or {}).get(NAME)
        return str(given or usual(item.object, self.session.settings.journals))

    async def _into(self, company: str, object: str, name: str, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        waiting: list[Item] = []
        for item in items:
            try:
                # What it settles is looked up before the line is made: one that cannot be settled is not entered.
                account = await account_of(self.writer, item.data) if item.children else ""
                waiting.append(await settled(self.writer, item, account))
            except (Unaskable, facets.Unresolved, ValueError) as error:
                yield Outcome(item.id, "rejected", error=Error("record", str(error)))
        entered: list[Item] = []
        for attempt in range(ATTEMPTS):
            if not waiting:
                break
            journal, last = await self._open(company, object, name)
            calls: list[Call] = []
            ready: list[Item] = []
            for item in waiting:
                try:
                    place = {JOURNALS[object].batch: journal, NUMBER: last + len(calls) + 1}
                    calls.append(await self.writer.creation(_bare(item), place))
                    ready.append(item)
                except (Unaskable, facets.Unresolved, ValueError) as error:
                    yield Outcome(item.id, "rejected", error=Error("record", str(error)))
            waiting = []
            by_call = {id(call): item for call, item in zip(calls, ready, strict=True)}
            async for call, answer in self.sender.send_all(calls):
                item = by_call[id(call)]
                if attempt + 1 < ATTEMPTS and _again(answer):
                    waiting.append(item)
                    continue
                outcome = await self._outcome(item, answer)
                if item.children and outcome.result == "created" and outcome.key is not None:
                    await self.writer.intents.note(item, "header", outcome.key)
                    entered.append(replace(item, key=outcome.key))
                else:
                    yield outcome
        async for outcome in Documents(self.writer).write(entered):
            yield outcome

    async def _outcome(self, item: Item, answer: Answer) -> Outcome:
        if answer.state != "done":
            return failed(item, answer, lambda error: False)
        return await self.writer.outcome(item, [answer])

    async def _open(self, company: str, object: str, name: str) -> tuple[str, int]:
        """The open journal to add to, and the number of its last line."""
        kind, session, text = JOURNALS[object], self.session, self.session.settings.journal_text
        meta = await session.metadata()
        known = await session.properties(kind.headers)
        open_ = eq(kind.posted, asked("No", known.get(kind.posted), meta))
        query = Query(select=(kind.number,), filter=and_(eq(kind.name, name), eq(kind.text, text), open_))
        for row in await session.rows(kind.headers, query, company):
            last = await self._last(company, object, str(row[kind.number]))
            if last < session.settings.journal_lines:
                return str(row[kind.number]), last
        made = await self._made(kind.headers, {"dataAreaId": company, kind.name: name, kind.text: text})
        return str(made[kind.number]), 0

    async def _made(self, headers: str, body: dict[str, Any]) -> dict[str, Any]:
        """A new journal. Should its answer be lost, an empty journal is left behind, which the next line finds."""
        from weft.net.errors import MaybeSent, NetError
        from weft.net.odata.errors import ODataError
        from weft.net.odata.sending import Halt, halt

        await self.writer.intents.still_mine()
        try:
            written = await self.session.client.create(headers, body, lane=self.writer.ctx.lane)
        except ODataError as error:
            told = JUDGE.told(error)
            raise Halt(_config(told, headers, body) if told.fault != "endpoint" else error, told) from error
        except MaybeSent as error:
            raise halt(error) from error
        except NetError as error:
            raise halt(error) from error
        return written.row or {}

    async def _last(self, company: str, object: str, journal: str) -> int:
        batch = JOURNALS[object].batch
        query = Query(select=(batch, NUMBER), filter=eq(batch, journal), orderby=(f"{NUMBER} desc",), top=1)
        rows = await self.session.rows(object, query, company)
        return int(rows[0][NUMBER]) if rows else 0


def _config(told: Error, headers: str, body: Mapping[str, Any]) -> Exception:
    from weft.errors import ConfigError

    company, name, _ = body.values()
    return ConfigError(f"a journal cannot be opened ({headers}, name {name!r}, company {company}): {told.message}")


def _bare(item: Item) -> Item:
    """The item without what is the header's."""
    data = {name: value for name, value in item.data.items() if not isinstance(value, dict)}
    return Item(item.id, item.op, item.mapping, item.object, data, item.company, own_key=item.own_key)


def _again(answer: Answer) -> bool:
    """Undone because somebody else was writing the journal, or had taken the number."""
    if answer.odata is None:
        return False
    return (answer.state == "later" and JUDGE.undone(answer.odata)) or (
        answer.state == "refused" and exists_already(answer.odata)
    )
