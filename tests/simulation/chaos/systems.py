"""The two systems of the chaos test, served by the test itself to workers in other processes.

They keep weft's own keys apart, as an alternate key does: of two creates with the same one, one is refused.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from weft.records import Outcome, Page
from weft.testing.memory import MemoryObject, MemorySystem

CRM = """
entity: customer
object: Accounts
key: [Id]
own_key: {field: Own, form: text, length: 32}
match: [[tax_id]]
settle_seconds: 1
fields: {Name: name, Tax: tax_id, Phone: phone, ErpNumber: number}
"""
ERP = """
entity: customer
object: customers
key: [id]
own_key: {field: own, form: text, length: 32}
match: [[tax_id]]
returns: [number]
settle_seconds: 1
fields: {displayName: name, taxNumber: tax_id, phone: phone, number: {from: number, on: read}}
"""
OBJECTS = {"left": "Accounts", "right": "customers"}
TAX = {"left": "Tax", "right": "taxNumber"}
LATENCY = 0.004


def systems() -> dict[str, MemorySystem]:
    text = dict.fromkeys(("Id", "Name", "Tax", "Phone", "ErpNumber", "Own"), "text")
    other = dict.fromkeys(("id", "displayName", "taxNumber", "phone", "number", "own"), "text")
    crm = MemorySystem([MemoryObject("Accounts", text)], CRM, title="CRM")
    erp = MemorySystem(
        [MemoryObject("customers", other, key=("id",), assigns={"number": "C{:05d}".format})], ERP, title="ERP"
    )
    for side, system, own in (("left", crm, "Own"), ("right", erp, "own")):
        system.check = _apart(system, OBJECTS[side], own)
    return {"left": crm, "right": erp}


def _apart(system: MemorySystem, object_name: str, own: str) -> Any:
    def check(name: str, data: dict[str, Any]) -> str | None:
        key = data.get(own)
        if key and any(row.get(own) == key for row in system.rows(object_name).values()):
            return f"{own} {key} is taken"
        return None

    return check


class _Notes:
    async def still_mine(self) -> None:
        return

    async def note(self, *_: Any, **more: Any) -> None:
        return

    def noted(self, item: Any) -> dict[str, Any]:
        return {}


async def serve(both: dict[str, MemorySystem], path: Path) -> asyncio.AbstractServer:
    """Answer reads and writes on a socket, one request a connection at a time."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                what, side, given = await receive(reader)
                await asyncio.sleep(LATENCY)
                system = both[side]
                if what == "read":
                    context: Any = SimpleNamespace(settings=SimpleNamespace(page_size=20))
                    answer: Any = [page async for page in system.weft_read(context, given)]
                else:
                    session: Any = SimpleNamespace(identity="weft")
                    answer = [one async for one in system.weft_write(session, [given], _Notes())]
                await asyncio.sleep(LATENCY)
                send(writer, answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the worker was killed
        finally:
            writer.close()

    return await asyncio.start_unix_server(client, str(path))


async def receive(reader: asyncio.StreamReader) -> Any:
    size = int.from_bytes(await reader.readexactly(4), "big")
    return pickle.loads(await reader.readexactly(size))  # noqa: S301  between the test and its own children


def send(writer: asyncio.StreamWriter, value: Any) -> None:
    body = pickle.dumps(value)
    writer.write(len(body).to_bytes(4, "big") + body)


class Remote:
    """One system as a worker sees it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, what: str, side: str, given: Any, timeout: float) -> Any:  # noqa: ASYNC109
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_unix_connection(self._path)
        send(writer, (what, side, given))
        async with asyncio.timeout(timeout):
            answer = await receive(reader)
        self._idle.append((reader, writer))
        return answer

    async def pages(self, side: str, query: Any) -> AsyncIterator[Page]:
        for page in await self.ask("read", side, query, 10):
            yield page

    async def write(self, side: str, item: Any) -> Outcome:
        [outcome] = await self.ask("write", side, item, 2)
        return outcome  # type: ignore[no-any-return]
