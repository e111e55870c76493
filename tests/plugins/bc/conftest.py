"""A served environment of Business Central, and the connector's session to it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from weft.mapping.document import Mapping
from weft.model.catalogue import core_entities
from weft.records import Condition, Context, Item, Outcome, Page, Query, Record
from weft.testing.contract.notes import MemoryNotes
from weft.testing.simulator import SimClock, serve
from weft_bc import connector
from weft_bc.mappings import mappings
from weft_bc.session import BcSession
from weft_bc.settings import BcSettings
from weft_bc.simulator.server import CLIENT_ID, CLIENT_SECRET, BusinessCentralSimulator

ENTITIES = {entity.name: entity for entity in core_entities()}


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Bench:
    """The connector against a simulated environment."""

    sim: BusinessCentralSimulator
    settings: BcSettings
    session: BcSession
    company: str
    notes: MemoryNotes = field(default_factory=MemoryNotes)

    def ctx(self, entity: str) -> Context:
        return Context(
            kind="bc", connection="erp", settings=self.settings, clock=Clock(), log=logging.getLogger("weft.erp"),
            entity=ENTITIES[entity], company=self.company,
        )  # fmt: skip

    def mapping(self, entity: str, variant: str = "default") -> Mapping:
        return next(m for m in mappings(self.settings, entity) if m.variant == variant)

    async def pages(self, entity: str, mode: str, *, mapping: Mapping | None = None, **more: Any) -> list[Page]:
        chosen = mapping or self.mapping(entity)
        query = Query(mode, chosen, company=more.pop("company", self.company), **more)  # type: ignore[arg-type]
        return [p async for p in connector.weft_read(self.ctx(entity), self.session, query)]

    async def records(self, entity: str, mode: str, **more: Any) -> dict[str, Record]:
        return {r.key: r for page in await self.pages(entity, mode, **more) for r in page.records}

    async def one(self, entity: str, key: str, **more: Any) -> Record:
        return (await self.records(entity, "keys", keys=[key], fresh=True, **more))[key]

    async def search(self, entity: str, *groups: Sequence[tuple[str, Any]]) -> dict[str, Record]:
        conditions = [tuple(Condition(name, "eq", value) for name, value in group) for group in groups]
        return await self.records(entity, "search", search=conditions)

    async def write(self, entity: str, *items: Item) -> dict[str, Outcome]:
        return {o.id: o async for o in connector.weft_write(self.ctx(entity), self.session, list(items), self.notes)}

    def item(self, entity: str, op: str, data: dict[str, Any], *, id: str = "i1", **more: Any) -> Item:
        mapping = more.pop("mapping", None) or self.mapping(entity)
        return Item(id, op, mapping, mapping.object.read, data, company=self.company, **more)  # type: ignore[arg-type]

    async def command(self, name: str, **args: Any) -> Any:
        return await self.sim.command(name, **args)

    def asked(self, pattern: str) -> int:
        """How many requests of the log hold this text."""
        return sum(pattern in f"{r.method} {r.path}" for r in self.sim.request_log)


Open = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def open_bench() -> AsyncIterator[Open]:
    """`await open_bench(records=50, settings={"page_size": 10}, stale_etag_status=412)`."""
    async with AsyncExitStack() as stack:

        async def start(records: int = 10, *, settings: dict[str, Any] | None = None, **options: Any) -> Bench:
            sim = BusinessCentralSimulator.create(
                records=records, seed=5, clock=SimClock(precision_ns=1_000_000), **options
            )
            served = await stack.enter_async_context(serve(sim, sim.entra))
            made = BcSettings(
                url=served.url(sim),
                tenant=sim.config.tenant,
                environment=sim.config.environment,
                authority=f"{served.url(sim.entra)}/{{tenant}}",
                ca_file=served.ca_file,
                retry_attempts=2,
                **{
                    "auth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
                    **(settings or {}),
                },
            )
            ctx = Context(kind="bc", connection="erp", settings=made, clock=Clock(), log=logging.getLogger("weft.erp"))
            session = await stack.enter_async_context(connector.weft_open(ctx))
            company = next(iter(sim.env.companies))
            return Bench(sim, made, session, company)

        yield start


@pytest.fixture
async def bench(open_bench: Open) -> Bench:
    """A small environment with the strict settings."""
    return await open_bench()
