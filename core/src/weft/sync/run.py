"""A run: one execution of a flow, its counts, its calls to connectors, and what it plans."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from weft.records import Canonical, Context, Lane, Mapped, Page, Problem, Query, Record, Side
from weft.sync.isolate import isolated, of_record, problem
from weft.sync.work import Caught

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.reference_tables import ReferenceTables
    from weft.runtime import Runtime
    from weft.state.flowlock import FlowLock
    from weft.sync.flow import End, Flow, Rule

Progress = Callable[["Run"], None]
TURNS = 4
"""Turns of the event loop after which a request is on its way, transports included. Only then may the page
at hand take the processor: else the system would wait for us, and then we for it."""
SLICE = 125
"""Records mapped at a stretch: so many fit the processor's cache, and what has arrived meanwhile gets its turn."""
Mode = Literal["changes", "first", "sweep", "keys", "hints", "due", "portions", "plan", "verify"]


@dataclass(frozen=True, slots=True)
class Planned:
    """One write that a plan would make: fields go from ``before`` to ``after``, by ``rule``. ``place``: connection and
    company as people call them."""

    flow: str
    side: Side
    connection: str
    company: str
    object: str
    op: str
    label: str
    key: str
    fields: dict[str, dict[str, Any]]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A record that a sync would not write: it would have an issue of this kind, for this reason."""

    flow: str
    kind: str
    label: str
    key: str
    reason: str


@dataclass
class Run:
    """Given to every step of the cycle. ``counts`` goes by outcome; ``planned`` fills in a plan."""

    runtime: Runtime
    flow: Flow
    mode: Mode
    plan_only: bool = False
    progress: Progress | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    counts: Counter[str] = field(default_factory=Counter)
    lags: Counter[str] = field(default_factory=Counter)
    """How long after a change in one system it was written to the other, by class of delay."""
    planned: list[Planned] = field(default_factory=list)
    planned_places: set[tuple[str, str, str, str, str]] = field(default_factory=set)
    held: list[Held] = field(default_factory=list)
    """Records a plan holds back."""
    excluded_parents: dict[tuple[str, str], str] = field(default_factory=dict)
    """Why records that others may wait for are not part of their flow: (entity, key) -> reason."""
    lane: Lane = "bulk"
    lock: FlowLock | None = None
    """Held by a bulk pass, so that those of one flow do not overlap."""
    expected: dict[Any, int] = field(default_factory=dict)
    """How many records a place is said to hold, where the system tells; for progress."""
    defects: set[str] = field(default_factory=set)
    """What has failed on records so far and is logged."""
    hinted: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    """Since when the records at hand have been hinted at: by connection, object and key."""
    epoch: int = 0
    """Marks links seen by this run's sweep."""
    depth: int = 0
    """How deep this run is nested: parents fetched on demand run inside their child's run."""

    def __post_init__(self) -> None:
        self.started = self.now
        self._told: Counter[str] = Counter()

    @property
    def now(self) -> datetime:
        now: datetime = self.runtime.clock.now()
        return now

    @property
    def loads(self) -> bool:
        """Is it a first load, or a part of one?"""
        return self.mode in ("first", "portions")

    async def mark(self) -> int:
        """The last settlement so far: what is read from now on is younger."""
        return await self.runtime.state.read(lambda tx: tx.links.last_settlement())

    def context(self, end: End, company: str) -> Context:
        return self.runtime.context(
            end.connection,
            flow=self.flow.name,
            run=self.id,
            entity=self.flow.entity.name,
            company=company,
            side=end.side,
            lane=self.lane,
        )

    def tables(self, end: End, company: str) -> ReferenceTables:
        return self.runtime.tables(end.connection, company)

    async def pages(self, end: End, query: Query) -> AsyncIterator[Page]:
        """Pages of a read, with third-party wrappers around it."""
        session = await self.runtime.session(end.connection)
        pages = self.runtime.plugins.iterate_around(
            end.kind, "read", ctx=self.context(end, query.company), session=session, query=query
        )
        async with aclosing(_ahead(self._spanned(end, query, pages))) as pages_ahead:
            async for page in pages_ahead:
                yield page

    async def _spanned(self, end: End, query: Query, pages: AsyncIterator[Page]) -> AsyncGenerator[Page, None]:
        """The pages, each told to the meter while it is read."""
        name = query.mapping.object.read or ""
        try:
            while True:
                with self.runtime.meter.page(self.flow.name, end.connection, name, "read") as span:
                    page = await anext(pages, None)
                    if page is None:
                        return
                    span.note(records=len(page.records))
                yield page
        finally:
            if isinstance(pages, AsyncGenerator):
                await pages.aclose()

    async def catch(
        self,
        end: End,
        compiled: CompiledMapping,
        company: str,
        records: Sequence[Record],
        prints: Sequence[str] | None = None,
    ) -> list[Caught]:
        """Map records in; each result carries its canonical form, its problems or why it is excluded."""
        if not records:
            return []
        tables = self.tables(end, company)
        await tables.load(compiled.references())

        async def inner(records: Sequence[Record], **_: Any) -> list[Mapped]:
            return compiled.read(records, tables)

        async def read(records: Sequence[Record]) -> list[Mapped]:
            return await self.runtime.plugins.await_around(
                end.kind, "map", inner, ctx=context, direction="in", records=records
            )

        rule, context = self.flow.rule_for(compiled), self.context(end, company)
        caught: list[Caught] = []
        for at in range(0, len(records), SLICE):
            some = records[at : at + SLICE]
            mapped = await isolated(self, f"weft_map of {end.kind}", some, read)
            marks = prints[at : at + SLICE] if prints is not None else [compiled.fingerprint(one) for one in some]
            for record, print_, result in zip(some, marks, mapped, strict=True):
                if isinstance(result, Problem):
                    caught.append(Caught(record, print_, problems=[result]))
                else:
                    caught.append(
                        self._within(rule, Caught(record, print_, result.canonical, result.problems, result.excluded))
                    )
            await asyncio.sleep(0)
        return caught

    def _within(self, rule: Rule | None, caught: Caught) -> Caught:
        """Leave out what the flow's ``when`` leaves out."""
        if rule is not None and caught.canonical is not None and caught.excluded is None:
            try:
                if not rule(caught.canonical):
                    caught.excluded = f"outside the flow: {self.flow.config.when}"
            except Exception as error:
                if not of_record(error):
                    raise
                caught.problems.append(problem(self, error))
        return caught

    async def map_out(
        self,
        end: End,
        compiled: CompiledMapping,
        company: str,
        records: Sequence[Canonical],
        own_keys: Sequence[str | None],
        sources: Sequence[Canonical],
    ) -> list[Mapped]:
        """Map canonical records out. ``sources`` are the full records they come from, for expressions."""
        tables = self.tables(end, company)
        await tables.load(compiled.references())

        context = self.context(end, company)

        async def write(rows: Sequence[tuple[Canonical, str | None, Canonical]]) -> list[Mapped]:
            async def inner(records: Sequence[Canonical], **_: Any) -> list[Mapped]:
                return [
                    compiled.write(
                        record,
                        "update" if record.key else "create",
                        tables,
                        full=source.fields,
                        children=record.changes,
                        own_key=own_key,
                        lines=source.lines,
                    )
                    for record, (_, own_key, source) in zip(records, rows, strict=True)
                ]

            return await self.runtime.plugins.await_around(
                end.kind, "map", inner, ctx=context, direction="out", records=[row[0] for row in rows]
            )

        rows = list(zip(records, own_keys, sources, strict=True))
        found = await isolated(self, f"weft_map of {end.kind}", rows, write)
        return [Mapped(problems=[one]) if isinstance(one, Problem) else one for one in found]

    def tell(self) -> None:
        """Let the caller show progress, and count what came of records since the last time."""
        if self.progress is not None:
            self.progress(self)
        if not self.plan_only:
            more = self.counts - self._told
            self._told = self.counts.copy()
            self.runtime.meter.records(self.flow.name, more)


async def _ahead(pages: AsyncIterator[Page]) -> AsyncGenerator[Page, None]:
    """Read the next page while the last one is being worked on."""
    following = asyncio.ensure_future(anext(pages, None))
    try:
        while (page := await following) is not None:
            following = asyncio.ensure_future(anext(pages, None))
            for _ in range(TURNS):
                await asyncio.sleep(0)
            yield page
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        if isinstance(pages, AsyncGenerator):
            await pages.aclose()
