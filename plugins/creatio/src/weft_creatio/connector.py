"""The hooks that core calls for connections of kind ``creatio``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from weft import hookimpl
from weft.hookspecs import Connector
from weft.mapping.document import Mapping
from weft.records import Concern, Context, Intents, Item, ObjectSchema, Outcome, Page, Query, Reply, Request
from weft_creatio.settings import CreatioSettings


@hookimpl
def weft_connector() -> Connector:
    return Connector(
        title="Creatio CRM",
        settings=CreatioSettings,
        docs="https://academy.creatio.com/docs/",
        auth=("forms", "oauth"),
        max_batch=100,
        commands="weft_creatio.commands:creatio",
        simulator="weft_creatio.simulator:create",
        editions="weft_creatio:editions.yaml",
        samples={
            "url": "https://acme.creatio.com",
            "auth": {
                "client_id": "…",
                "client_secret": "${env:CREATIO_SECRET}",
                "identity_url": "https://acme-is.creatio.com",
            },
            "technical_user": "Integration",
        },
        no_rates="document_rates: false",
    )


@hookimpl
def weft_mappings(settings: CreatioSettings, entity: str) -> list[Mapping]:
    from weft_creatio.mappings import packaged_mappings

    return packaged_mappings(settings, entity)


@hookimpl
def weft_open(ctx: Context) -> AbstractAsyncContextManager[Any]:
    from weft_creatio.session import open_session

    return open_session(ctx.settings, ctx.connection, ctx.log, ctx.meter)


@hookimpl
async def weft_describe(session: Any, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
    from weft_creatio.describing import describe

    async for schema in describe(session, objects):
        yield schema


@hookimpl
async def weft_check(ctx: Context, session: Any) -> AsyncIterator[Concern]:
    """Is weft's package there, where the settings say so?"""
    settings = session.settings
    if settings.package and session.names.object("WeftOutbox") not in (await session.metadata()).sets:
        yield Concern(
            "error",
            "weft's package is not installed on this site, or its OData is still being rebuilt (1 to 2 minutes)",
            f"install it by: weft creatio package --install {ctx.connection}; or set `package: false` to do without",
            missing=True,
        )


@hookimpl
async def weft_base_currencies(session: Any) -> dict[str, str]:
    from weft_creatio.base_currency import base_currency

    code = await base_currency(session)
    return {"": code} if code else {}


@hookimpl
async def weft_read(ctx: Context, session: Any, query: Query) -> AsyncIterator[Page]:
    from weft_creatio.reading import Reader
    from weft_creatio.selection import NoObject

    session = session.within(ctx.lane)
    meta = await session.metadata()
    try:
        plan = session.plans.plan(query, ctx.entity, meta, session.settings.prefix)
    except NoObject:
        session.forget_metadata()  # by the next run somebody may have installed it
        raise
    reader = Reader(session, plan, query)
    pages = {"scan": reader.scan, "changes": reader.changes, "keys": reader.keys, "search": reader.search}
    async for page in pages[query.mode]():
        yield page


@hookimpl
async def weft_write(ctx: Context, session: Any, items: Sequence[Item], intents: Intents) -> AsyncIterator[Outcome]:
    from weft_creatio.writing import Writer

    async for outcome in Writer(ctx, session.within(ctx.lane), intents).write(items):
        yield outcome


@hookimpl
async def weft_receive(ctx: Context, request: Request) -> Reply:
    from weft_creatio.pushes import receive

    return receive(ctx, request)
