"""Loads into Finance & Operations: customers, and orders with four lines, by $batch and as data packages.

The connector alone writes, without a state; the floor sends the same requests. A package's address and times are
another each time, so packages are set beside the floor of the same records in $batch.
"""

from __future__ import annotations

import statistics
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from functools import partial
from typing import Any, cast

from benchmarks.cases import Result, Timed, timed
from benchmarks.floor import Floor, replay
from benchmarks.recording import Recording, recording
from benchmarks.systems import credentials
from weft.collector import rare_collections
from weft.config.loading import load_text
from weft.model.values import Fields, Ref
from weft.plugins import Plugins
from weft.records import Canonical, Item, LineChange
from weft.runtime import Runtime
from weft.testing.contract.notes import MemoryNotes
from weft.testing.simulator import serve_in_process

LINES = 4
COMPANY = "usmf"
CONFIG = """
connections:
  erp:
    kind: d365fo
    url: '{url}'
    authority: '{url}/{{tenant}}'
    tenant: {tenant}
    ca_file: '{ca}'
    company: usmf
    site: "1"
    own_keys: {{customer: KnownAs}}
    package: {{from_records: {least}, poll: 0.2}}
    auth: {{client_id: {client_id}, client_secret: {secret}}}
"""


class Pair:
    """What :func:`benchmarks.systems.credentials` asks for."""

    connections = ("erp",)


class Loads:
    """One environment a round; ``customers`` and ``orders`` say how many."""

    def __init__(self, customers: int, orders: int, rounds: int) -> None:
        self.customers, self.orders, self.rounds = customers, orders, rounds

    async def measure(self) -> list[Result]:
        found: list[Result] = []
        for entity, count in (("customer", self.customers), ("sales_order", self.orders)):
            batch = await self._batch(entity, count)
            found += [batch, await self._package(entity, count, batch)]
        return found

    async def _batch(self, entity: str, count: int) -> Result:
        runs: list[Timed] = []
        floors: list[Floor] = []
        made = Recording()
        for _ in range(self.rounds):
            with served() as sim:
                old = sim.url("d365fo")
                async with connected(sim, 0) as runtime:
                    items = await new_items(runtime, entity, count)
                    with recording() as made:
                        runs.append(await timed(partial(written, runtime, entity, items)))
            with served() as sim:
                async with connected(sim, 0) as runtime:
                    origin = sim.url("d365fo")
                    proof = await credentials(runtime, Pair())  # type: ignore[arg-type]
                    floors.append(await replay(made, {old: origin}, proof, {origin: str(sim.ca_file)}))
        return told(f"{title(entity)} by $batch", count, runs, floors, made)

    async def _package(self, entity: str, count: int, batch: Result) -> Result:
        runs: list[Timed] = []
        made = Recording()
        for _ in range(self.rounds):
            with served() as sim:
                async with connected(sim, 1) as runtime:
                    items = await new_items(runtime, entity, count)
                    with recording() as made:
                        runs.append(await timed(partial(written, runtime, entity, items)))
        result = told(f"{title(entity)} as package", count, runs, [], made)
        result.floor_seconds, result.floor_cpu = batch.floor_seconds, batch.floor_cpu
        result.ratio = batch.floor_seconds / result.seconds
        return result


def title(entity: str) -> str:
    return {"customer": "customers", "sales_order": f"orders, {LINES} lines"}[entity]


def told(name: str, records: int, runs: Sequence[Timed], floors: Sequence[Floor], made: Recording) -> Result:
    seconds, cpu = statistics.median(r.seconds for r in runs), statistics.median(r.cpu for r in runs)
    floor = statistics.median(f.seconds for f in floors) if floors else 0.0
    return Result(
        name, records, len(runs), seconds, cpu, floor, statistics.median(f.cpu for f in floors) if floors else 0.0,
        floor / seconds, records / seconds, records / cpu, len(made.requests), made.concurrency,
        floors[-1].bytes if floors else 0, max((f.differing for f in floors), default=0), dict(runs[-1].value),
    )  # fmt: skip


@contextmanager
def served() -> Iterator[Any]:
    with serve_in_process("benchmarks.factories:finance_operations", {}, timeout=120) as sim:
        yield sim


@asynccontextmanager
async def connected(sim: Any, least: int) -> AsyncIterator[Runtime]:
    from weft_d365fo.simulator import CLIENT_ID, CLIENT_SECRET, Settings

    text = CONFIG.format(
        url=sim.url("d365fo"), tenant=Settings().tenant, ca=sim.ca_file, least=least, client_id=CLIENT_ID,
        secret=CLIENT_SECRET,
    )  # fmt: skip
    plugins = Plugins.discover(only=["d365fo"])
    config = load_text(text, "weft.yaml", plugins)
    with rare_collections():
        async with Runtime(config, cast(Any, None), plugins) as runtime:  # nothing here reaches the state
            await (await runtime.session("erp")).metadata()
            yield runtime


async def new_items(runtime: Runtime, entity: str, count: int) -> list[Item]:
    """Records as core would hand them over."""
    compiled = next(iter(runtime.mappings("erp", entity).values()))
    tables = runtime.tables("erp", COMPANY)
    await tables.load(compiled.references())
    buyer, product = await _first(runtime, "customer"), await _first(runtime, "product")
    items: list[Item] = []
    for n in range(count):
        number = uuid.UUID(int=n).hex
        fields: Fields = _customer(n) if entity == "customer" else {"customer": Ref("CustomersV3", buyer)}
        lines = [_line(n, at, product) for at in range(LINES)] if entity == "sales_order" else []
        changes = [LineChange("lines", "create", f"{number}:{at}", fields=line) for at, line in enumerate(lines)]
        canonical = Canonical(entity, compiled.mapping.object.to_create, "", fields, COMPANY, changes=changes)
        own = compiled.own_key_of(number)
        mapped = compiled.write(canonical, "create", tables, full=fields, own_key=own)
        if mapped.native is None:
            raise SystemExit(f"a sample cannot be mapped: {mapped.problems}")
        items.append(Item(number, "create", compiled.mapping, compiled.mapping.object.to_create, mapped.native,
                          COMPANY, own_key=own, children=mapped.children))  # fmt: skip
    return items


def _customer(n: int) -> Fields:
    return {
        "name": f"Contoso {n:06d}", "party_type": "organization", "currency": "USD", "customer_group": "10",
        "email": f"office{n}@contoso{n}.example", "phone": f"+1 425 555 {n:06d}", "address.street": f"{n} Main Street",
        "address.city": "Seattle", "address.postal_code": "98101", "address.country": "US",
        "credit_limit": Decimal(1000 + n),
    }  # fmt: skip


def _line(n: int, at: int, product: str) -> Fields:
    return {
        "product": Ref("ReleasedProductsV2", product), "description": f"Order {n} line {at}",
        "quantity": Decimal(at + 1), "unit_price": Decimal("9.95"),
    }  # fmt: skip


async def _first(runtime: Runtime, entity: str) -> str:
    from weft.records import Query

    compiled = next(iter(runtime.mappings("erp", entity).values()))
    context = runtime.context("erp", entity=entity, company=COMPANY)
    query = Query("scan", compiled.mapping, company=COMPANY)
    pages = runtime.plugins.iterate_around(
        "d365fo", "read", ctx=context, session=await runtime.session("erp"), query=query
    )
    async for page in pages:
        for record in page.records:
            return str(record.key)
    raise SystemExit(f"the simulator holds no {entity}")


async def written(runtime: Runtime, entity: str, items: Sequence[Item]) -> dict[str, int]:
    """Write all items in the batches core makes of them."""
    context = runtime.context("erp", entity=entity, company=COMPANY)
    session = await runtime.session("erp")
    size = runtime.plugins.connector("d365fo").max_batch
    results: dict[str, int] = {}
    for at in range(0, len(items), size):
        outcomes = runtime.plugins.iterate_around(
            "d365fo", "write", ctx=context, session=session, items=list(items[at : at + size]), intents=MemoryNotes()
        )
        async for outcome in outcomes:
            results[outcome.result] = results.get(outcome.result, 0) + 1
    if results != {"created": len(items)}:
        raise SystemExit(f"the load was not what is to be measured: {results}")
    return results
