"""A served environment of Finance & Operations, and the connector's session to it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from weft.mapping.compile import CompiledMapping, compile_mapping
from weft.mapping.document import Mapping as Document
from weft.model.catalogue import core_entities
from weft.records import Canonical, Context, Item, LineChange, Outcome, Page, Query, Record
from weft.testing.contract.notes import MemoryNotes
from weft.testing.simulator import SimClock, serve
from weft_d365fo import connector
from weft_d365fo.mappings import mappings
from weft_d365fo.session import FoSession
from weft_d365fo.settings import FoSettings
from weft_d365fo.simulator import CLIENT_ID, CLIENT_SECRET, FinanceOperationsSimulator

ENTITIES = {entity.name: entity for entity in core_entities()}


class Codes:
    """Reference tables in which every code is its own key, besides those given."""

    def __init__(self, ids: Mapping[str, Mapping[str, str]]) -> None:
        self.ids = ids

    def has(self, entity: str) -> bool:
        return True

    def id_of(self, entity: str, code: str) -> str | None:
        return self.ids.get(entity, {}).get(code, code)

    def code_of(self, entity: str, native_id: str) -> str | None:
        return {v: k for k, v in self.ids.get(entity, {}).items()}.get(native_id, native_id)


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Bench:
    """The connector against a simulated environment, in canonical terms."""

    sim: FinanceOperationsSimulator
    settings: FoSettings
    session: FoSession
    company: str = "usmf"
    notes: MemoryNotes = field(default_factory=MemoryNotes)
    tables: Codes = field(default_factory=lambda: Codes({"country": {"US": "USA", "DE": "DEU"}}))
    compiled_by: dict[tuple[str, str], CompiledMapping] = field(default_factory=dict)

    def ctx(self, entity: str) -> Context:
        return Context(
            kind="d365fo", connection="erp", settings=self.settings, clock=Clock(), log=logging.getLogger("weft.erp"),
            entity=ENTITIES[entity], company=self.company,
        )  # fmt: skip

    def compiled(self, entity: str, variant: str = "default") -> CompiledMapping:
        found = self.compiled_by.get((entity, variant))
        if found is None:
            document = next(m for m in mappings(self.settings, entity) if m.variant == variant)
            found = compile_mapping(document, ENTITIES[entity], kind="d365fo", entities=ENTITIES, ref_object=self.home)
            self.compiled_by[entity, variant] = found
        return found

    def home(self, entity: str) -> str | None:
        documents = mappings(self.settings, entity)
        return documents[0].object.read if documents else None

    async def pages(self, entity: str, mode: str, variant: str = "default", **more: Any) -> list[Page]:
        mapping: Document = self.compiled(entity, variant).mapping
        query = Query(mode, mapping, company=more.pop("company", self.company), **more)  # type: ignore[arg-type]
        return [p async for p in connector.weft_read(self.ctx(entity), self.session, query)]

    async def records(self, entity: str, mode: str, variant: str = "default", **more: Any) -> dict[str, Record]:
        return {r.key: r for page in await self.pages(entity, mode, variant, **more) for r in page.records}

    async def read(self, entity: str, key: str, variant: str = "default") -> Canonical:
        """A record by its key, in canonical form."""
        record = (await self.records(entity, "keys", variant, keys=[key], fresh=True))[key]
        [mapped] = self.compiled(entity, variant).read([record], self.tables)
        assert mapped.canonical is not None, (mapped.problems, mapped.excluded)
        return mapped.canonical

    def item(
        self, entity: str, op: str, fields: Mapping[str, Any], lines: Sequence[Mapping[str, Any]] = (), **more: Any
    ) -> Item:
        """An item with canonical fields mapped out."""
        compiled = self.compiled(entity)
        mapping = compiled.mapping
        object = mapping.object.to_create if op == "create" else mapping.object.to_update
        number = uuid.uuid4().hex
        own = compiled.own_key_of(number) if mapping.own_key and op == "create" else None
        changes = [LineChange("lines", "create", f"{number}:{n}", fields=dict(line)) for n, line in enumerate(lines)]
        canonical = Canonical(entity, object, more.get("key") or "", dict(fields), self.company, changes=changes)
        mapped = compiled.write(canonical, op, self.tables, full=fields, own_key=own)  # type: ignore[arg-type]
        assert mapped.native is not None, mapped.problems
        return Item(
            number, op, mapping, object, mapped.native, self.company, own_key=own, children=mapped.children,  # type: ignore[arg-type]
            **more,
        )  # fmt: skip

    async def write(self, entity: str, *items: Item) -> dict[str, Outcome]:
        return {o.id: o async for o in connector.weft_write(self.ctx(entity), self.session, list(items), self.notes)}

    async def create(self, entity: str, fields: Mapping[str, Any], lines: Sequence[Mapping[str, Any]] = ()) -> str:
        item = self.item(entity, "create", fields, lines)
        outcome = (await self.write(entity, item))[item.id]
        assert outcome.result == "created", outcome.error
        return str(outcome.key)

    def first(self, table: str, column: str) -> str:
        return str(self.sim.world.rows(table, self.company)[0][column])


Open = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def open_bench() -> AsyncIterator[Open]:
    """`await open_bench(records=50, settings={"page_size": 10}, stale_etag_status=None)`."""
    async with AsyncExitStack() as stack:

        async def start(records: int = 4, *, settings: dict[str, Any] | None = None, **options: Any) -> Bench:
            sim = FinanceOperationsSimulator.create(
                records=records, documents=0, seed=5, clock=SimClock(precision_ns=1_000_000), **options
            )
            served = await stack.enter_async_context(serve(sim))
            made = FoSettings(
                url=served.url(sim),
                tenant=sim.config.tenant,
                authority=f"{served.url(sim)}/{{tenant}}",
                ca_file=served.ca_file,
                company="usmf",
                retry_attempts=2,
                **{
                    "auth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
                    "site": "1",
                    "revenue_account": "401100",
                    "sweep_every": 0,
                    **(settings or {}),
                },
            )
            ctx = Context(
                kind="d365fo", connection="erp", settings=made, clock=Clock(), log=logging.getLogger("weft.erp")
            )
            session = await stack.enter_async_context(connector.weft_open(ctx))
            return Bench(sim, made, session)

        yield start


@pytest.fixture
async def bench(open_bench: Open) -> Bench:
    """A small environment with the strict settings."""
    return await open_bench()
