"""The connector: six hooks. Start reading here, then weft.hookspecs for what each hook promises."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from weft import hookimpl
from weft.errors import EndpointDown
from weft.hookspecs import Connector
from weft.mapping.document import Mapping
from weft.mapping.loading import packaged
from weft.records import Context, Error, Intents, Item, ObjectSchema, Outcome, Page, Property, Query
from weft_csvdir.folder import Folder
from weft_csvdir.reading import pages
from weft_csvdir.settings import FolderSettings
from weft_csvdir.table import Table
from weft_csvdir.writing import write


@hookimpl
def weft_connector() -> Connector:
    return Connector(
        title="Folder of CSV files",
        settings=FolderSettings,
        companies=True,
        max_batch=1000,
        samples={"path": "./files"},
    )


@hookimpl
def weft_mappings(entity: str) -> list[Mapping]:
    return packaged("weft_csvdir", entity)  # maps/*.yaml


@hookimpl
@asynccontextmanager
async def weft_open(ctx: Context) -> AsyncIterator[Folder]:
    folder = Folder(ctx.settings.path, ctx.settings.delimiter)
    await asyncio.to_thread(folder.prove)
    yield folder


@hookimpl
async def weft_companies(session: Folder) -> dict[str, str]:
    return await asyncio.to_thread(session.companies)


@hookimpl
async def weft_describe(session: Folder, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
    """A file tells no types: the first column is the key, the others may hold anything."""
    known = await asyncio.to_thread(session.names)
    company = next(iter(await asyncio.to_thread(session.companies)))
    for name in known if objects is None else [name for name in objects if name in known]:
        table = await asyncio.to_thread(session.load, company, name)
        columns = {c: Property(c, "any") for c in table.columns}
        columns[table.key] = Property(table.key, "text", required=True)
        yield ObjectSchema(name, (table.key,), columns)


@hookimpl
async def weft_read(ctx: Context, session: Folder, query: Query) -> AsyncIterator[Page]:
    """One look at the file answers a query: its pages are of one moment, whatever is saved meanwhile."""
    mapping = query.mapping
    table = await asyncio.to_thread(session.load, query.company, mapping.object.read, mapping.key[0])
    for page in pages(table, query, query.page_size or ctx.settings.page_size):
        yield page


@hookimpl
async def weft_write(ctx: Context, session: Folder, items: Sequence[Item], intents: Intents) -> AsyncIterator[Outcome]:
    """All rows of a file in one go: it is written whole or not at all, so no item is ever in doubt."""
    files: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for item in items:
        files[item.company, item.object, item.mapping.key[0]].append(item)
    for (company, name, key), group in files.items():
        await intents.still_mine()

        def change(table: Table, group: list[Item] = group) -> list[Outcome]:
            return [write(table, item, ctx.clock.now()) for item in group]

        try:
            outcomes = await asyncio.to_thread(session.edit, company, name, key, change)
        except EndpointDown as error:
            words = Error("endpoint", str(error))
            outcomes = [Outcome(item.id, "retry", error=words) for item in group]
        for outcome in outcomes:
            yield outcome
