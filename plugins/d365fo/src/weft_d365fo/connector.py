"""The connector for Dynamics 365 Finance & Operations: OData, data packages, business events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import weft
from weft.hookspecs import Connector
from weft_d365fo.settings import FoSettings

if TYPE_CHECKING:
    from weft.mapping.document import Mapping
    from weft.mapping.impossible import Impossible
    from weft.records import Concern, Context, Intents, Item, ObjectSchema, Outcome, Page, Query, Reply, Request
    from weft_d365fo.session import FoSession


@weft.hookimpl
def weft_connector() -> Connector:
    return Connector(
        title="Dynamics 365 Finance & Operations",
        settings=FoSettings,
        docs="https://learn.microsoft.com/dynamics365/fin-ops-core/dev-itpro/data-entities/odata",
        companies=True,
        auth=("entra",),
        max_batch=5000,
        simulator="weft_d365fo.simulator.server:simulators",
        demo="weft_d365fo.demo:story",
        editions="weft_d365fo:editions.yaml",
        samples={
            "url": "https://acme.operations.dynamics.com",
            "tenant": "00000000-0000-0000-0000-000000000000",
            "company": "usmf",
            "site": "1",
            "revenue_account": "401100",
            "auth": {"client_id": "00000000-0000-0000-0000-000000000000", "client_secret": "${env:D365FO_SECRET}"},
        },
    )


@weft.hookimpl
def weft_mappings(settings: Any, entity: str) -> list[Mapping]:
    from weft_d365fo.mappings import mappings

    return mappings(settings, entity)


@weft.hookimpl
def weft_impossible(entity: str) -> list[Impossible]:
    from weft.mapping.loading import impossible

    return impossible(__package__, entity)


@weft.hookimpl
@asynccontextmanager
async def weft_open(ctx: Context) -> AsyncIterator[FoSession]:
    from weft_d365fo.session import open_session

    async with open_session(ctx.settings, ctx.connection, ctx.log, ctx.meter) as session:
        yield session


@weft.hookimpl
async def weft_describe(session: FoSession, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
    from weft_d365fo.describing import describe

    async for schema in describe(session, objects):
        yield schema


@weft.hookimpl
async def weft_companies(session: FoSession) -> dict[str, str]:
    return await session.companies(again=True)


@weft.hookimpl
async def weft_base_currencies(session: FoSession) -> dict[str, str]:
    return await session.base_currencies()


@weft.hookimpl
async def weft_check(ctx: Context, session: FoSession, mappings: Sequence[Mapping]) -> AsyncIterator[Concern]:
    from weft_d365fo.journal_names import missing

    async for concern in missing(session, ctx.company, mappings):
        yield concern


@weft.hookimpl
async def weft_read(ctx: Context, session: FoSession, query: Query) -> AsyncIterator[Page]:
    from weft_d365fo.reading import read

    async for page in read(ctx, session, query):
        yield page


@weft.hookimpl
async def weft_write(
    ctx: Context, session: FoSession, items: Sequence[Item], intents: Intents
) -> AsyncIterator[Outcome]:
    from weft_d365fo.writing import Writer

    async for outcome in Writer(ctx, session, intents).write(items):
        yield outcome


@weft.hookimpl
async def weft_receive(ctx: Context, request: Request) -> Reply:
    from weft_d365fo.events import receive

    return receive(ctx, request)
