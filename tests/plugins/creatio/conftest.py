"""A served Creatio site, a session opened on it, and the hooks called the way core calls them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from weft.mapping.compile import CompiledMapping, compile_mapping
from weft.model.catalogue import Catalogue
from weft.plugins import Plugins
from weft.records import Context, Item, Outcome, Page, Query, Record
from weft.testing.contract.notes import MemoryNotes
from weft.testing.simulator import SimClock, serve
from weft_creatio import connector
from weft_creatio.package.build import BuildOptions, build_archive
from weft_creatio.package.contents import read_package
from weft_creatio.package.model import load_model
from weft_creatio.session import CreatioSession, open_session
from weft_creatio.settings import CreatioSettings
from weft_creatio.simulator import CreatioSimulator

LOG = logging.getLogger("weft.crm")
NO_WAIT = {"retry_base": 0.001, "retry_attempts": 3}


class NoEntities:
    entities: ClassVar[dict[str, Any]] = {}


@dataclass
class Rows:
    """Reference tables as core keeps them."""

    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def has(self, entity: str) -> bool:
        return entity in self.codes

    def code_of(self, entity: str, native_id: str) -> str | None:
        return self.codes.get(entity, {}).get(native_id)

    def id_of(self, entity: str, code: str) -> str | None:
        return next((k for k, v in self.codes.get(entity, {}).items() if v.casefold() == code.casefold()), None)


@dataclass
class Crm:
    """A session on a served site."""

    sim: CreatioSimulator
    session: CreatioSession
    settings: CreatioSettings
    clock: SimClock
    notes: MemoryNotes = field(default_factory=MemoryNotes)
    catalogue: Catalogue = field(default_factory=lambda: _catalogue())

    def mapping(self, entity: str, variant: str | None = None) -> CompiledMapping:
        found = self.mappings(entity)
        return found[variant] if variant else next(iter(found.values()))

    def mappings(self, entity: str) -> dict[str, CompiledMapping]:
        documents = connector.weft_mappings(settings=self.settings, entity=entity)
        return {one.variant: self.compiled(one) for one in documents}

    def compiled(self, document: Any) -> CompiledMapping:
        def owner(name: str) -> str | None:
            found = connector.weft_mappings(settings=self.settings, entity=name)
            return found[0].object.read if found else None

        return compile_mapping(
            document, self.catalogue.get(document.entity), kind="creatio", entities=self.catalogue.types,
            ref_object=owner,
        )  # fmt: skip

    def context(self, entity: str) -> Context:
        return Context("creatio", "crm", self.settings, self.clock, LOG, entity=self.catalogue.get(entity))

    async def tables(self, *mappings: CompiledMapping) -> Rows:
        """Codes and Ids of the reference entities that mappings name."""
        rows = Rows()
        for entity in {name for mapping in mappings for name in mapping.references()}:
            for mapping in self.mappings(entity).values():
                found = await self.read("scan", mapping)
                for record, mapped in zip(found.records, mapping.read(found.records, rows), strict=True):
                    if mapped.canonical is not None and mapped.canonical.fields.get("code"):
                        rows.codes.setdefault(entity, {})[record.key] = str(mapped.canonical.fields["code"])
        return rows

    async def pages(self, query: Query) -> list[Page]:
        ctx = self.context(query.mapping.entity)
        return [page async for page in connector.weft_read(ctx=ctx, session=self.session, query=query)]

    async def read(self, mode: Any, mapping: CompiledMapping, **options: Any) -> Read:
        return Read(await self.pages(Query(mode, mapping.mapping, **options)))

    async def write(self, items: Sequence[Item]) -> dict[str, Outcome]:
        ctx = self.context(items[0].mapping.entity)
        written = connector.weft_write(ctx=ctx, session=self.session, items=items, intents=self.notes)
        return {outcome.id: outcome async for outcome in written}

    def requests(self, method: str = "", path: str = "") -> list[Any]:
        return [one for one in self.sim.request_log if method in one.method and path in one.path]


@dataclass
class Read:
    """What a read delivered, all pages together."""

    pages: list[Page]

    @property
    def records(self) -> list[Record]:
        return [record for page in self.pages for record in page.records]

    @property
    def by_key(self) -> dict[str, Record]:
        return {record.key: record for record in self.records}

    @property
    def cursor(self) -> str | None:
        assert all(page.cursor is None for page in self.pages[:-1])
        return self.pages[-1].cursor

    @property
    def gone(self) -> list[str]:
        return [key for page in self.pages for key in page.gone]

    @property
    def invisible(self) -> list[str]:
        return [key for page in self.pages for key in page.invisible]

    @property
    def suspects(self) -> list[str]:
        return [key for page in self.pages for key in page.suspects]


def _catalogue() -> Catalogue:
    return Catalogue.of(Plugins(), NoEntities())  # type: ignore[arg-type]


OpenCrm = Callable[..., Awaitable[Crm]]


@pytest.fixture(scope="session")
def erp_package() -> Any:
    """weft's package, as a site reads it."""
    return read_package(build_archive(load_model(), BuildOptions()))


@pytest.fixture
async def open_crm(erp_package: Any) -> AsyncIterator[OpenCrm]:
    """`await open_crm(records=50, connection={"page_size": 10}, database="mssql")`."""
    async with AsyncExitStack() as stack:

        async def start(
            records: int = 0,
            *,
            connection: dict[str, Any] | None = None,
            package: bool = True,
            oauth: bool = False,
            skewed: bool = True,
            **simulated: Any,
        ) -> Crm:
            clock = SimClock(distinct=True)
            if skewed:  # so that tests can let time pass without leaving the Date header behind
                clock.set_skew(-30 * 86_400.0)
            sim = CreatioSimulator.create(records, 7, clock=clock, **simulated)
            if package:
                sim.installer.apply(erp_package)
            served = await stack.enter_async_context(serve(sim))
            auth: dict[str, Any] = {"username": "Supervisor", "password": "Supervisor"}
            if oauth:
                auth = {"client_id": "weft-client", "client_secret": "weft-secret"}
            given = {"url": served.url(sim), "ca_file": served.ca_file, "auth": auth, "runtime": sim.options.runtime}
            settings = CreatioSettings(**{**given, **NO_WAIT, "package": package, **(connection or {})})
            session = await stack.enter_async_context(open_session(settings, "crm", LOG))
            return Crm(sim, session, settings, clock)

        yield start


@pytest.fixture
async def crm(open_crm: OpenCrm) -> Crm:
    """An empty site with weft's package, and a session by user and password."""
    return await open_crm()
