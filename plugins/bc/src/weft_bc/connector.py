"""The connector for Dynamics 365 Business Central: standard API v2.0, online and on premises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import weft
from weft.hookspecs import Connector
from weft_bc.settings import BcSettings

if TYPE_CHECKING:
    from weft.mapping.document import Mapping
    from weft.mapping.impossible import Impossible
    from weft.records import (
        Concern,
        Context,
        Intents,
        Item,
        ObjectSchema,
        Outcome,
        Page,
        Query,
        Reply,
        Request,
        Subscription,
        Watch,
    )
    from weft_bc.session import BcSession


@weft.hookimpl
def weft_connector() -> Connector:
    return Connector(
        title="Dynamics 365 Business Central",
        settings=BcSettings,
        docs="https://learn.microsoft.com/dynamics365/business-central/dev-itpro/api-reference/v2.0/",
        companies=True,
        auth=("entra", "basic"),
        max_batch=100,
        commands="weft_bc.commands:bc",
        simulator="weft_bc.simulator.server:simulators",
        demo="weft_bc.demo:story",
        editions="weft_bc:editions.yaml",
        samples={
            "tenant": "00000000-0000-0000-0000-000000000000",
            "environment": "production",
            "company": "CRONUS",
            "auth": {"client_id": "00000000-0000-0000-0000-000000000000", "client_secret": "${env:BC_SECRET}"},
        },
    )


@weft.hookimpl
def weft_mappings(settings: Any, entity: str) -> list[Mapping]:
    from weft_bc.mappings import mappings

    return mappings(settings, entity)


@weft.hookimpl
def weft_impossible(entity: str) -> list[Impossible]:
    from weft.mapping.loading import impossible

    return impossible(__package__, entity)


@weft.hookimpl
@asynccontextmanager
async def weft_open(ctx: Context) -> AsyncIterator[BcSession]:
    from weft_bc.session import open_session

    async with open_session(ctx.settings, ctx.connection, ctx.log, ctx.meter) as session:
        yield session


@weft.hookimpl
async def weft_describe(session: BcSession, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
    from weft_bc.describing import describe

    async for schema in describe(session, objects):
        yield schema


@weft.hookimpl
async def weft_companies(session: BcSession) -> dict[str, str]:
    return await session.companies(again=True)


@weft.hookimpl
async def weft_base_currencies(session: BcSession) -> dict[str, str]:
    return await session.base_currencies()


@weft.hookimpl
async def weft_check(
    ctx: Context, session: BcSession, mappings: Sequence[Mapping], actions: Sequence[str]
) -> AsyncIterator[Concern]:
    from weft_bc.journals import missing

    async for concern in missing(session, ctx.company, mappings, actions):
        yield concern


@weft.hookimpl
async def weft_read(ctx: Context, session: BcSession, query: Query) -> AsyncIterator[Page]:
    from weft_bc.reading import read

    async for page in read(ctx, session, query):
        yield page


@weft.hookimpl
async def weft_write(
    ctx: Context, session: BcSession, items: Sequence[Item], intents: Intents
) -> AsyncIterator[Outcome]:
    from weft_bc.writing import Writer

    async for outcome in Writer(ctx, session, intents).write(items):
        yield outcome


@weft.hookimpl
async def weft_subscribe(ctx: Context, session: BcSession, url: str, watches: Sequence[Watch]) -> list[Subscription]:
    from weft_bc.webhooks import subscribe

    return await subscribe(ctx, session, url, watches)


@weft.hookimpl
async def weft_receive(ctx: Context, request: Request) -> Reply:
    from weft_bc.webhooks import receive

    return receive(ctx, request)
