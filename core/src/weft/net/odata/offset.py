"""Paging by offset where nothing better is to be had, without losing a row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Mapping

from weft.net.limiter import Lane
from weft.net.odata.client import ODataClient
from weft.net.odata.query import Query
from weft.net.odata.rows import Row


async def pages_by_offset(
    client: ODataClient,
    path: str,
    query: Query,
    *,
    size: int,
    identity: Callable[[Row], Hashable],
    headers: Mapping[str, str] | None = None,
    lane: Lane = "bulk",
) -> AsyncIterator[list[Row]]:
    """Every row that is there from beginning to end, each once, in the query's order.

    A row deleted while pages are read moves all later ones up, and an offset then passes one of them by. So
    each page begins with a row of the one before; where it does not, it is read again from further ahead.
    ``query.orderby`` must be total and made of fields that never change; ``identity`` tells rows apart.
    """
    if not query.orderby:
        raise ValueError("paging by offset needs an order: without one rows are lost between pages")
    size = max(size, 2)
    seen: set[Hashable] = set()
    skip, back = 0, 1
    while True:
        rows: list[Row] = []
        async for page in client.pages(path, query.but(top=size, skip=skip), headers=headers, lane=lane):
            rows += page.rows
        if skip and (not rows or identity(rows[0]) not in seen):
            skip, back = max(0, skip - back), back * 2
            continue
        back = 1
        fresh = [row for row in rows if identity(row) not in seen]
        seen.update(identity(row) for row in fresh)
        yield fresh
        if len(rows) < size:
            return
        skip += len(rows) - 1
