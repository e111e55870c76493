"""The environment's OData service: every address carries ``cross-company=true``.

Without it a record of another company than the user's own is not found, whatever its key says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from weft.net.limiter import Lane
from weft.net.odata.client import ODataClient, Page
from weft.net.odata.errors import ODataError
from weft.net.odata.literals import Key
from weft.net.odata.query import Query
from weft_d365fo.failures import is_outage

CROSS_COMPANY = {"cross-company": "true"}


class FoClient(ODataClient):
    """Some fields cannot be selected though rows carry them; their objects are read whole then."""

    whole: set[str]

    def relative(self, path: str, key: Key = None, query: Query | None = None) -> str:
        query = query or Query()
        return super().relative(path, key, replace(query, extra={**CROSS_COMPANY, **query.extra}))

    async def pages(
        self,
        path: str,
        query: Query | None = None,
        *,
        page_size: int | None = None,
        headers: Mapping[str, str] | None = None,
        lane: Lane = "bulk",
        start: str | None = None,
    ) -> AsyncIterator[Page]:
        query = query or Query()
        if path in self.whole:
            query = replace(query, select=())
        try:
            async for page in super().pages(path, query, page_size=page_size, headers=headers, lane=lane, start=start):
                yield page
            return
        except ODataError as error:
            if error.status != 400 or not query.select or is_outage(error):
                raise
            refused = error
        bare = replace(query, select=())
        began = False
        try:
            async for page in super().pages(path, bare, page_size=page_size, headers=headers, lane=lane, start=start):
                if not began:
                    self.whole.add(path)  # it was the selection
                    began = True
                yield page
        except ODataError:
            if began:
                raise
            raise refused from None
