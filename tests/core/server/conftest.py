"""Two systems in memory with something of everything: agreement, issues, a conflict, approvals; and a server on it."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from weft.config.loading import load_text
from weft.plugins import Plugins
from weft.runtime import Runtime
from weft.server.app import make_app
from weft.server.people import hash_of
from weft.server.serve import serve
from weft.server.site import Site
from weft.state.store import State
from weft.sync.cycle import sync
from weft.testing.memory import MemoryObject, MemorySystem

CRM = """
entity: customer
object: Accounts
key: [Id]
match: [[tax_id], [name]]
fields:
  Name: name
  Phone: phone
  Tax: tax_id
  Number: number
  Limit: credit_limit
  Currency: {ref: currency, by: code}
---
entity: product
object: Products
key: [Id]
match: [[number]]
fields: {Code: number, Name: name, Price: unit_price}
"""
ERP = """
entity: customer
object: Customers
key: [Id]
match: [[tax_id], [name]]
returns: [number]
fields:
  Name: name
  Phone: phone
  Tax: tax_id
  Number: {from: number, on: read}
  Limit: credit_limit
  Currency: {ref: currency, by: code}
---
entity: product
object: Items
key: [Id]
match: [[number]]
fields: {Code: number, Name: name, Price: unit_price}
"""
CONFIG = """
state: sqlite:///weft.db
connections:
  crm: {kind: memcrm}
  erp: {kind: memerp}
flows:
  customers:
    entity: customer
    between: [crm, erp]
    owner: crm
    on_conflict: review
    fields: {number: erp}
    approve: credit_limit > 50000
  products: {entity: product, between: [crm, erp], on_conflict: review, every: 5m}
"""
PARTY = {"Id": "text", "Name": "text", "Phone": "text", "Tax": "text", "Number": "text", "Limit": "money",
         "Currency": "text"}  # fmt: skip
PRODUCT = {"Id": "text", "Code": "text", "Name": "text", "Price": "money"}
TOKENS = {role: f"weft_{role}_{'0123456789abcdef' * 2}" for role in ("viewer", "operator", "admin")}


@dataclass
class Clock:
    """A clock that a test moves; real time goes on from where it is set."""

    offset: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


@dataclass
class World:
    """``config`` may be appended to; ``stories`` fills systems and state."""

    folder: Path
    config: str = CONFIG
    clock: Clock = field(default_factory=Clock)
    database: str = ""
    """URL of another state than the SQLite file."""
    state: State = field(init=False)
    crm: MemorySystem = field(init=False)
    erp: MemorySystem = field(init=False)

    def __post_init__(self) -> None:
        now = self.clock.now
        self.crm = MemorySystem([MemoryObject("Accounts", PARTY), MemoryObject("Products", PRODUCT)], CRM,
                                title="Memory CRM", clock=now)  # fmt: skip
        customers = MemoryObject("Customers", PARTY, assigns={"Number": "C{:05d}".format})
        self.erp = MemorySystem([customers, MemoryObject("Items", PRODUCT)], ERP, title="Memory ERP", clock=now)

    @property
    def state_url(self) -> str:
        return self.database or f"sqlite:///{self.folder}/weft.db"

    def guarded(self, more: str = "") -> None:
        """Let only those in who have a token."""
        tokens = "".join(
            f"    - {{name: {role}, role: {role}, hash: '{hash_of(token)}'}}\n" for role, token in TOKENS.items()
        )
        self.config += f"server:\n  enabled: true\n  listen: 127.0.0.1:0\n{more}  tokens:\n{tokens}"

    @asynccontextmanager
    async def runtime(self) -> AsyncIterator[Runtime]:
        plugins = Plugins()
        plugins.register("memcrm", self.crm)
        plugins.register("memerp", self.erp)
        config = load_text(self.config, "weft.yaml", plugins)
        async with State.open(self.state_url) as state, Runtime(config, state, plugins, clock=self.clock) as runtime:
            yield runtime

    async def stories(self, runtime: Runtime, customers: int = 12) -> None:
        """Some records that agree, one that the ERP refuses, one conflict, two approvals."""
        for number in range(1, customers + 1):
            self.crm.put("Accounts", Name=f"Customer {number:03}", Phone=f"+49 30 {number:04}", Tax=f"T{number}",
                         Limit=Decimal(1000 * number) if number < 50 else Decimal(100), Currency="EUR")  # fmt: skip
        for code, name, price in (("A-1", "Loom", "1200.00"), ("A-2", "Shuttle", "49.90"), ("B-7", "Yarn", "3.25")):
            self.crm.put("Products", Code=code, Name=name, Price=Decimal(price))
        self.erp.check = lambda _, data: (
            "The field Phone No. must be filled in. It cannot be zero or empty." if data.get("Phone") == "-" else None
        )
        await sync(runtime)
        self.crm.put("Accounts", Name="Contoso <b>AG</b>", Phone="-", Tax="T901")
        self.crm.put("Accounts", Name="Fabrikam", Phone="-", Tax="T902")
        self.crm.put("Accounts", Name="Big Order Ltd", Phone="1", Limit=Decimal(90000), Currency="EUR")
        self.crm.edit("Accounts", "Accounts-0001", Phone="+49 30 1111", Tax="T1-crm")
        self.erp.edit("Customers", "Customers-0001", Phone="+49 30 2222", Tax="T1-erp")
        self.crm.edit("Accounts", "Accounts-0002", Phone="+49 30 3333")
        await sync(runtime)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Site]:
        async with self.runtime() as runtime:
            await self.stories(runtime)
            site = Site(runtime, runtime.config.server)
            yield site
            await site.close()

    @contextmanager
    def running(self, fill: Callable[[Runtime], Any] | None = None, **more: Any) -> Iterator[str]:
        """A real server in a thread of its own; gives its address."""
        started, stop, found = threading.Event(), asyncio.Event(), dict[str, Any]()

        async def main() -> None:
            found["loop"] = asyncio.get_running_loop()
            async with self.runtime() as runtime:
                self.state = runtime.state
                await (fill or self.stories)(runtime)
                async with serve(runtime, **more) as listening:
                    found["url"], found["socket"] = listening.url, listening.socket
                    started.set()
                    await stop.wait()

        def run() -> None:
            try:
                asyncio.run(main())
            except BaseException as error:
                found["error"] = error
                raise
            finally:
                started.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert started.wait(60)
        assert "url" in found, found.get("error")
        try:
            yield found["url"]
        finally:
            found["loop"].call_soon_threadsafe(stop.set)
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One for a whole module."""
    return World(tmp_path_factory.mktemp("world"))


def client(site: Site, token: str | None = None, *, app: Any = None, **more: Any) -> httpx.AsyncClient:
    """A client of the application itself; ``token`` a role's, or a text."""
    headers = {"Authorization": f"Bearer {TOKENS.get(token, token)}"} if token else {}
    transport = httpx.ASGITransport(app or make_app(site), client=("127.0.0.1", 50000), raise_app_exceptions=False)
    base = more.pop("base_url", "http://127.0.0.1:8787")
    return httpx.AsyncClient(transport=transport, base_url=base, headers={**headers, **more.pop("headers", {})}, **more)


@pytest.fixture(name="client")
def client_factory() -> Callable[..., httpx.AsyncClient]:
    return client


@pytest.fixture
async def open_site(world: World) -> AsyncIterator[Site]:
    """A site that asks nobody who they are."""
    async with world.site() as site:
        yield site


@pytest.fixture
async def guarded_site(world: World) -> AsyncIterator[Site]:
    """A site that lets in only those with a token."""
    world.guarded()
    async with world.site() as site:
        yield site


@pytest.fixture(scope="session")
def tokens() -> dict[str, str]:
    """A token for each role."""
    return dict(TOKENS)


def csrf_of(page: str) -> str:
    """The proof that a page's forms carry."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found, page[:2000]
    return found.group(1)


@pytest.fixture(name="csrf_of")
def csrf_reader() -> Callable[[str], str]:
    return csrf_of
