"""A Creatio site served over TLS, and clients signed in to it."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from weft.testing.simulator import SimClock, serve
from weft_creatio.simulator import CreatioSimulator


@dataclass
class Site:
    """A served simulator with an OAuth client of it."""

    sim: CreatioSimulator
    url: str
    context: ssl.SSLContext
    http: httpx.AsyncClient

    @property
    def root(self) -> str:
        return f"{self.url}{self.sim.options.odata_root}"

    def anonymous(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=self.context, base_url=self.url)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One OData call as the technical user; `path` below the service root."""
        content = None if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **headers} if content else headers
        return await self.http.request(method, f"{self.root}/{path}", content=content, headers=given)

    async def get(self, path: str, **options: str) -> Any:
        """A successful GET; options are system query options without `$`."""
        query = "&".join(f"${name}={quote(value)}" for name, value in options.items())
        answer = await self.call("GET", f"{path}?{query}" if query else path)
        assert answer.status_code == 200, answer.text
        return exact(answer)

    async def create(self, entity: str, **values: Any) -> dict[str, Any]:
        answer = await self.call("POST", entity, values)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = exact(answer)
        return found

    async def patch(self, entity: str, key: str, **values: Any) -> httpx.Response:
        answer = await self.call("PATCH", f"{entity}({key})", values)
        assert answer.status_code == 204, answer.text
        return answer

    async def row(self, entity: str, key: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.get(f"{entity}({key})")
        return found


def exact(answer: httpx.Response) -> Any:
    return json.loads(answer.content, parse_float=Decimal)


def inner(answer: httpx.Response) -> str:
    """The deepest message of an OData error."""
    error = answer.json()["error"]
    deeper = error.get("innererror")
    while deeper:
        error, deeper = deeper, deeper.get("internalexception")
    return str(error["message"])


Serve = Callable[..., Awaitable[Site]]


@pytest.fixture
async def serve_site() -> AsyncIterator[Serve]:
    """Serve a site with the given settings: `await serve_site(records=50, database="mssql")`."""
    async with AsyncExitStack() as stack:

        async def start(records: int = 30, **settings: Any) -> Site:
            clock = SimClock(distinct=True)
            sim = CreatioSimulator.create(records, 7, clock=clock, **settings)
            served = await stack.enter_async_context(serve(sim))
            context = ssl.create_default_context(cafile=served.ca_file)
            url = served.url(sim)
            http = await stack.enter_async_context(httpx.AsyncClient(verify=context))
            form = {"grant_type": "client_credentials", "client_id": "weft-client", "client_secret": "weft-secret"}
            token = (await http.post(f"{url}/connect/token", data=form)).json()["access_token"]
            http.headers["Authorization"] = f"Bearer {token}"
            return Site(sim, url, context, http)

        yield start


@pytest.fixture
async def site(serve_site: Serve) -> Site:
    """A site with the default settings."""
    return await serve_site()


@pytest.fixture
def inner_message() -> Callable[[httpx.Response], str]:
    return inner
