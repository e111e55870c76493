"""How the cost of a no-change pass and the memory it takes grow with the number of links.

    python -m benchmarks.scale [RECORDS ...]        default: 10,000, 100,000 and 1,000,000 on each side

Each size in a process of its own. Both systems make their records up as they are asked for them, so that what
is measured is weft alone: reading pages, fingerprints, looking links up, marking them as seen, and what the end
of a sweep asks the state. The links are put into the state beforehand. Prints a line a size, microseconds of CPU
and of wall time a record, and the resident memory at the start and at the most.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks.memory import peak
from weft import hookimpl, yamlpos
from weft.collector import rare_collections
from weft.config.loading import load_text
from weft.hookspecs import Connector
from weft.mapping.compile import CompiledMapping
from weft.mapping.loading import parse
from weft.model.values import encode
from weft.plugins import Plugins
from weft.records import Item, Outcome, Page, Query, Record
from weft.runtime import Runtime
from weft.state import Cursor, Link
from weft.state.store import State
from weft.sync.cycle import run_flow
from weft.testing.memory import MemorySettings

SIZES = (10_000, 100_000, 1_000_000)
PAGE = 1000
NOW = datetime(2024, 6, 3, 8, 0, tzinfo=UTC)
MAPPING = """
entity: customer
object: Customers
key: [Id]
match: [[email]]
fields:
  Name: {from: name, max: 100}
  Email: {from: email, compare: casefold}
  Phone: {from: phone, compare: digits}
  Street: address.street
  City: {from: address.city, ref: city, by: code}
  Zip: address.postal_code
  Country: {from: address.country, ref: country, by: code}
  Limit: {from: credit_limit, digits: 2, compare: money}
  Notes: notes
"""
CONFIG = """
state: sqlite:///{state}
connections: {{crm: {{kind: crm}}, erp: {{kind: erp}}}}
flows:
  customers: {{entity: customer, between: [crm, erp], owner: crm, guards: {{}}}}
"""


class Generated:
    """A system of so many customers, and its connector. It is never written to."""

    def __init__(self, records: int) -> None:
        self.records = records
        self.documents = [parse(loaded) for loaded in yamlpos.load_all(MAPPING, "scale")]

    @hookimpl
    def weft_connector(self) -> Connector:
        return Connector(title="Generated customers", settings=MemorySettings)

    @hookimpl
    def weft_mappings(self, entity: str) -> list[Any]:
        return self.documents if entity == "customer" else []

    @hookimpl
    @asynccontextmanager
    async def weft_open(self) -> AsyncIterator[object]:
        yield self

    @hookimpl
    async def weft_read(self, query: Query) -> AsyncIterator[Page]:
        if query.mode != "scan":
            yield Page(cursor="1")
            return
        for at in range(0, self.records, PAGE):
            ends = at + PAGE >= self.records
            yield Page(page(at, self.records), cursor="1" if ends else None, total=self.records)

    @hookimpl
    async def weft_write(self, items: list[Item]) -> AsyncIterator[Outcome]:
        raise AssertionError(f"nothing has changed, and yet {items[0].op} {items[0].key}")
        yield


def page(at: int, records: int) -> list[Record]:
    return [record(number) for number in range(at, min(at + PAGE, records))]


def record(number: int) -> Record:
    data = {
        "Id": f"{number:012}", "Name": f"Adatum {number}", "Email": f"info@adatum{number}.example",
        "Phone": f"+1 555 {number:07}", "Street": f"{number} Main Street", "City": "Atlanta",
        "Zip": f"{number % 99999:05}", "Country": "US", "Limit": number, "Notes": "",
    }  # fmt: skip
    return Record("Customers", data["Id"], data, "", "1", NOW)


def links(compiled: CompiledMapping, at: int, records: int) -> list[Link]:
    found = []
    for one in page(at, records):
        base = encode({"f": {"name": one.data["Name"], "email": one.data["Email"], "notes": None}})
        print_ = compiled.fingerprint(one)
        found.append(
            Link(
                "customer", "crm", "Customers", one.key, "erp", "Customers", one.key, NOW, NOW, "", "",
                compiled.mapping.variant, compiled.mapping.variant, base, base, print_, print_, "1", "1", NOW, NOW,
            )
        )  # fmt: skip
    return found


async def measure(records: int) -> dict[str, Any]:
    plugins = Plugins()
    for kind in ("crm", "erp"):
        plugins.register(kind, Generated(records))
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        url = Path(folder) / "weft.db"
        config = load_text(CONFIG.format(state=url), "weft.yaml", plugins)
        with rare_collections(), State.open(f"sqlite:///{url}") as state:
            async with Runtime(config, state, plugins) as runtime:
                [compiled] = runtime.mappings("crm", "customer").values()
                for at in range(0, records, PAGE):
                    some = links(compiled, at, records)
                    await state.write(lambda tx, some=some: tx.links.insert_many(some))
                variant = compiled.mapping.variant
                cursors = [
                    Cursor("customers", "left", "crm", "", variant, "1", NOW),
                    Cursor("customers", "right", "erp", "", variant, "1", NOW),
                ]
                await state.write(lambda tx: tx.cursors.put_many(cursors))
                gc.collect()
                start, begun, cpu = peak(), time.perf_counter(), time.process_time()
                report = await run_flow(runtime, "customers", sweep=True)
                seconds, used = time.perf_counter() - begun, time.process_time() - cpu
    if report.counts != {"read": 2 * records, "unchanged": 2 * records}:
        raise SystemExit(f"the run was not what is to be measured: {report.state} {report.error} {report.counts}")
    each = 2 * records / 1e6
    return {"records": records, "cpu_us": used / each, "wall_us": seconds / each, "start_mb": start, "peak_mb": peak()}


def main(sizes: list[int]) -> None:
    for size in sizes:
        command = [sys.executable, "-m", "benchmarks.scale", "--one", str(size)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        found = orjson.loads(done.stdout)
        print(
            f"{size:>9,} links: {found['cpu_us']:5.1f} us CPU a record, {found['wall_us']:5.1f} us wall, "
            f"{found['start_mb']:.0f} MB at the start, {found['peak_mb']:.0f} MB at the most"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.stdout.write(orjson.dumps(asyncio.run(measure(int(sys.argv[2])))).decode())
    else:
        main([int(size.replace(",", "")) for size in sys.argv[1:]] or list(SIZES))
