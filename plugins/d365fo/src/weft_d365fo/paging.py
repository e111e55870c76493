"""All rows of an object, in an order that nothing is lost from."""

from __future__ import annotations

from collections.abc import AsyncIterator

from weft.net.limiter import Lane
from weft.net.odata.offset import pages_by_offset
from weft.net.odata.query import Query
from weft.net.odata.rows import Row
from weft_d365fo.keys import KeyShape
from weft_d365fo.session import FoSession

_COMPARED = ("Edm.Int64", "Edm.Int32")


async def every(
    session: FoSession, object: str, query: Query, shape: KeyShape, size: int, lane: Lane
) -> AsyncIterator[list[Row]]:
    """Rows a query finds in the order of the key, which never changes.

    A key that is a number is continued past its last value. Text cannot be compared here, so everything else is
    read by offset; the service's own links are offsets too.
    """
    fields = shape.fields
    if len(fields) == 1 and shape.properties[fields[0]].type in _COMPARED:
        types = {fields[0]: shape.properties[fields[0]].type}
        ordered = query.but(orderby=fields)
        async for page in session.client.pages_by_key(object, ordered, size=size, types=types, lane=lane):
            yield page.rows
        return
    ordered = query.but(orderby=fields)
    async for rows in pages_by_offset(
        session.client, object, ordered, size=size, identity=lambda row: shape.spell(row).casefold(), lane=lane
    ):
        yield rows
