"""Reads and single writes over one OData service root. Batches are in `batch`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx

from weft.net.errors import BadResponse, place
from weft.net.limiter import Lane
from weft.net.odata.dialect import V4, Dialect
from weft.net.odata.errors import ODataError, entity, odata_error
from weft.net.odata.literals import Key, property_path, qualified, wire
from weft.net.odata.query import Query, after
from weft.net.odata.rows import Row
from weft.net.response import Response
from weft.net.session import HttpSession, origin


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `next_link` is set while there are more, `delta_link` at most on the last page."""

    rows: list[Row]
    count: int | None = None
    next_link: str | None = None
    delta_link: str | None = None
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a write gave back. `row` is the representation if one was returned."""

    status: int
    row: Row | None
    etag: str | None
    location: str | None
    response: Response


class ODataClient:
    """`root` is the service root, absolute or relative to the session's base URL (`/data`, `/0/odata`).

    `path` arguments are an entity set's name, or a path made by `literals.resource`; values never go into
    it by hand. `headers` are sent with every request.
    """

    def __init__(
        self,
        session: HttpSession,
        root: str = "",
        *,
        dialect: Dialect | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.session = session
        self.root = session.url(root).rstrip("/")
        self.dialect: Dialect = dialect or V4()
        self._headers = {**self.dialect.headers(), **(headers or {})}

    def relative(self, path: str, key: Key = None, query: Query | None = None) -> str:
        """The URL of a resource relative to the root, as batch items want it."""
        if not path or any(c in path for c in "?#\\ \t\r\n") or ".." in path.split("/"):
            raise ValueError(f"{path!r} is not a resource path")
        url = path + (self.dialect.key(key) if key is not None else "")
        text = query.text(self.dialect.literal) if query is not None else ""
        return f"{url}?{text}" if text else url

    def url(self, path: str, key: Key = None, query: Query | None = None) -> str:
        return f"{self.root}/{self.relative(path, key, query)}"

    async def send(
        self,
        method: str,
        url: str,
        *,
        body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        lane: Lane = "live",
    ) -> Response:
        """Send a request to an absolute URL; ODataError for any answer but 2xx."""
        response = await self.session.request(
            method,
            url,
            headers={**self._headers, **(headers or {})},
            json=body,
            content=content,
            idempotent=idempotent,
            lane=lane,
            ok="any",
        )
        if not response.ok:
            raise odata_error(response)
        return response

    # -- reading ---------------------------------------------------------------------------------

    async def get(
        self,
        path: str,
        key: Key = None,
        query: Query | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        lane: Lane = "live",
    ) -> Row:
        """One entity (or singleton). ODataError with status 404 if it does not exist."""
        return entity(await self.send("GET", self.url(path, key, query), headers=headers, lane=lane))

    async def find(
        self,
        path: str,
        key: Key,
        query: Query | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        lane: Lane = "live",
    ) -> Row | None:
        """Like `get`, None if there is no such entity. A 404 without an OData error body (a proxy's,
        a missing service) is raised: it says nothing about the entity."""
        try:
            return await self.get(path, key, query, headers=headers, lane=lane)
        except ODataError as error:
            if error.status == 404 and error.response is not None and not error.response.is_html:
                body = error.response.content.lstrip()[:1]
                if body == b"{" and (error.code or error.message):
                    return None
            raise

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
        """Pages as the server cuts them, following its links verbatim with the same headers.

        `page_size` asks for smaller pages by `Prefer: odata.maxpagesize`; `start` continues at a stored
        next or delta link. A link to another origin, or to itself, is a BadResponse.
        """
        wanted = dict(headers or {})
        if page_size is not None:
            wanted["Prefer"] = ",".join(filter(None, (wanted.get("Prefer"), f"odata.maxpagesize={page_size}")))
        first = self.url(path, None, query)
        url: str | None = self._same_origin(first, start) if start else first
        while url is not None:
            response = await self.send("GET", url, headers=wanted, lane=lane)
            page = self._page(response)
            if page.next_link is not None:
                following = self._same_origin(url, page.next_link)
                if following == url:
                    raise response.bad("a next link that leads to the same page again")
                url = following
            else:
                url = None
            yield page

    async def pages_by_skip(
        self,
        path: str,
        query: Query,
        *,
        size: int,
        headers: Mapping[str, str] | None = None,
        lane: Lane = "bulk",
    ) -> AsyncIterator[Page]:
        """Pages by $top and $skip, until one comes short. The query needs an order that is total and stable.

        `query.top` limits the rows in all. Should the server cut pages itself, its links are followed.
        """
        if not query.orderby:
            raise ValueError("paging by $skip needs an order: without one rows are lost between pages")
        skip, left = query.skip or 0, query.top
        while left is None or left > 0:
            want = size if left is None else min(size, left)
            got = 0
            async for page in self.pages(path, query.but(top=want, skip=skip), headers=headers, lane=lane):
                got += len(page.rows)
                yield page
            skip += got
            left = None if left is None else left - got
            if got < want:
                return

    async def pages_by_key(
        self,
        path: str,
        query: Query,
        *,
        size: int,
        types: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        lane: Lane = "bulk",
    ) -> AsyncIterator[Page]:
        """Pages by keyset: each continues past the last row of the one before, in ascending `query.orderby`.

        The order's fields together must be unique and selected. `types` gives their Edm types as in
        `$metadata` (`{"Id": "Edm.Guid"}`), because a guid or date is plain text in JSON.
        """
        fields = list(query.orderby)
        if not fields or any(" " in f for f in fields):
            raise ValueError("keyset paging needs ascending fields in orderby")
        missing = [f for f in fields if query.select and f not in query.select]
        if missing:
            raise ValueError(f"keyset paging reads {', '.join(missing)} from the rows: add it to select")
        untyped = [f for f in fields if f not in types]
        if untyped:
            raise ValueError(f"keyset paging needs the Edm type of {', '.join(untyped)}")
        window = query.but(top=size)
        while True:
            last: Row | None = None
            got = 0
            async for page in self.pages(path, window, headers=headers, lane=lane):
                got += len(page.rows)
                last = page.rows[-1] if page.rows else last
                yield page
            if got < size or last is None:
                return
            position = [(f, wire(types[f], last[f])) for f in fields]
            window = query.but(top=size).where(after(position))

    def _page(self, response: Response) -> Page:
        document = entity(response)
        rows = self.dialect.rows(document)
        if rows is None:
            raise response.bad("an answer without a list of rows")
        return Page(
            rows=rows,
            count=self.dialect.count(document),
            next_link=self.dialect.next_link(document),
            delta_link=self.dialect.delta_link(document),
            response=response,
        )

    def _same_origin(self, current: str, link: str) -> str:
        target = link if link.startswith(("https://", "http://")) else urljoin(current, link)
        if origin(httpx.URL(target)) != origin(httpx.URL(self.root)):
            raise BadResponse(
                f"{place(self.session.system, 'GET', current)} answered with a link to another origin, "
                f"{origin(httpx.URL(target))}: it is not followed, the credentials are for {self.root}"
            )
        return target

    async def count(self, path: str, query: Query | None = None, *, lane: Lane = "live") -> int:
        """Number of rows by `/$count` and the query's filter."""
        narrowed = Query(filter=query.filter, extra=query.extra) if query else None
        url = self.url(f"{path}/$count", None, narrowed)
        response = await self.send("GET", url, headers={"Accept": "text/plain"}, lane=lane)
        text = response.text.lstrip("\ufeff").strip()
        if not text.isdigit():
            raise response.bad("no number where a count was expected")
        return int(text)

    async def metadata(self) -> bytes:
        """The `$metadata` document, for `metadata.parse`."""
        response = await self.send("GET", f"{self.root}/$metadata", headers={"Accept": "application/xml"}, lane="bulk")
        if response.is_html:
            raise response.bad("an HTML page where $metadata was expected")
        return response.content

    # -- writing ---------------------------------------------------------------------------------

    async def create(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        lane: Lane = "live",
    ) -> Written:
        """POST an entity. MaybeSent means: look it up before any repeat."""
        return self._written(
            await self.send("POST", self.url(path, None, query), body=dict(body), headers=headers, lane=lane)
        )

    async def update(
        self,
        path: str,
        key: Key,
        body: Mapping[str, Any],
        *,
        if_match: str | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        lane: Lane = "live",
    ) -> Written:
        """PATCH the given fields. `if_match`: the version seen, or "*" to force; None sends no condition."""
        sent = {**(headers or {}), **({"If-Match": if_match} if if_match is not None else {})}
        url = self.url(path, key, query)
        return self._written(await self.send("PATCH", url, body=dict(body), headers=sent, lane=lane))

    async def delete(
        self,
        path: str,
        key: Key,
        *,
        if_match: str | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        lane: Lane = "live",
    ) -> None:
        sent = {**(headers or {}), **({"If-Match": if_match} if if_match is not None else {})}
        await self.send("DELETE", self.url(path, key, query), headers=sent, lane=lane)

    async def action(
        self,
        path: str,
        key: Key,
        action: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        lane: Lane = "live",
    ) -> Written:
        """POST to a bound action, `Microsoft.NAV.post`. Without a body an empty one is sent."""
        url = f"{self.url(path, key)}/{qualified(action)}"
        content = None if body is not None else b""
        json = dict(body) if body is not None else None
        return self._written(await self.send("POST", url, body=json, content=content, headers=headers, lane=lane))

    async def put_stream(
        self,
        path: str,
        key: Key,
        field: str,
        content: bytes,
        *,
        content_type: str = "application/octet-stream",
        method: str = "PUT",
        if_match: str | None = None,
        lane: Lane = "live",
    ) -> None:
        """Replace a stream property. Sending the same bytes again is harmless unless a version is given."""
        headers = {"Content-Type": content_type, **({"If-Match": if_match} if if_match is not None else {})}
        url = f"{self.url(path, key)}/{property_path(field)}"
        await self.send(method, url, content=content, headers=headers, idempotent=if_match is None, lane=lane)

    async def get_stream(self, path: str, key: Key, field: str, *, lane: Lane = "live") -> bytes:
        url = f"{self.url(path, key)}/{property_path(field)}"
        return (await self.send("GET", url, headers={"Accept": "*/*"}, lane=lane)).content

    def _written(self, response: Response) -> Written:
        row: Row | None = None
        if response.content.strip() and response.status != 204:
            row = entity(response)
        etag = (self.dialect.etag(row) if row else None) or response.headers.get("etag")
        location = response.headers.get("location") or response.headers.get("odata-entityid")
        return Written(response.status, row, etag, location, response)
