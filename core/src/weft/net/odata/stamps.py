"""Changes in the order of their time stamps."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from dataclasses import dataclass

from weft.net.limiter import Lane
from weft.net.odata.client import ODataClient
from weft.net.odata.query import Query, gt
from weft.net.odata.rows import Row


@dataclass(frozen=True, slots=True)
class Changed:
    """Some changed rows. ``newest``: the newest stamp seen so far. ``last``: there are no more."""

    rows: list[Row]
    newest: dt.datetime | None
    last: bool


async def pages_by_stamp(
    client: ODataClient,
    path: str,
    query: Query,
    field: str,
    *,
    since: dt.datetime | None,
    newest: dt.datetime | None,
    size: int,
    largest: int,
    stamp: Callable[[Row], dt.datetime | None],
    identity: Callable[[Row], Hashable],
    rest: Callable[[Query], AsyncIterator[list[Row]]],
    rounding: dt.timedelta = dt.timedelta(0),
    headers: Mapping[str, str] | None = None,
    lane: Lane = "bulk",
) -> AsyncIterator[Changed]:
    """Rows stamped after ``since``. A row that changes meanwhile only moves towards the end.

    Pages continue by stamp and not by the service's link: a link names the last row or an offset, and a row
    that moves would take others with it. ``identity`` must change with the row. A stamp may be stored more
    coarsely than it is printed: ``rounding`` is by how much a comparison may miss. Where more rows than
    ``largest`` share one moment, ``rest`` reads what the given query finds in another order.
    """
    seen: set[Hashable] = set()
    while True:
        later = query if since is None else query.where(gt(field, since))
        rows: list[Row] = []
        async for page in client.pages(path, later.but(top=size, orderby=(field,)), headers=headers, lane=lane):
            rows += page.rows
        fresh = [row for row in rows if identity(row) not in seen]
        stamps = [at for row in rows if (at := stamp(row)) is not None]
        if stamps:
            newest = max(stamps) if newest is None else max(newest, max(stamps))
        if len(rows) < size:
            yield Changed(fresh, newest, True)
            return
        yield Changed(fresh, newest, False)
        following = max(stamps) - rounding if stamps else since
        if following is None or (since is not None and following <= since):
            if size >= largest:  # more rows share one moment than fit a page
                async for some in rest(later):
                    yield Changed(some, newest, False)
                yield Changed([], newest, True)
                return
            size = min(size * 4, largest)
            continue
        since = following
        seen = {identity(row) for row in rows if (at := stamp(row)) is not None and at > since}
