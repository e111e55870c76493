"""Both systems and weft between them, for the tests of what becomes of each kind of object.

Served once a module; every test works on records of its own. People work through the simulators' own
commands, and what the tests compare is read through them as well, never through weft.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

USA, UK = "CRONUS USA, Inc.", "CRONUS UK Ltd."
CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
BUYER = "00783ef6-f36b-1410-a883-16d83cab0980"
CLOSED_WON = "60d5310c-5be6-df11-971b-001d60e938c6"
PROPOSAL = "423774cb-5ae6-df11-971b-001d60e938c6"
OK = ("done",)


def amounts(
    quantity: Any, price: Any, *, percent: Any = 0, discount: Any = None, tax: Any = 0, **more: Any
) -> dict[str, Any]:
    """The columns of a line as Creatio's page fills them in. ``discount`` is an amount, ``percent`` a percentage."""
    cent = Decimal("0.01")
    amount = (Decimal(quantity) * Decimal(price)).quantize(cent, ROUND_HALF_UP)
    if discount is None:
        discount = (amount * Decimal(percent) / 100).quantize(cent, ROUND_HALF_UP)
    else:
        percent = (Decimal(discount) * 100 / amount).quantize(cent, ROUND_HALF_UP)
    taxed = ((amount - Decimal(discount)) * Decimal(tax) / 100).quantize(cent, ROUND_HALF_UP)
    return {
        "Quantity": Decimal(quantity), "Price": Decimal(price), "Amount": amount, "DiscountPercent": Decimal(percent),
        "DiscountAmount": Decimal(discount), "DiscountTax": Decimal(tax), "TaxAmount": taxed,
        "TotalAmount": amount - Decimal(discount) + taxed, **more,
    }  # fmt: skip


@dataclass
class World:
    """The two systems, a configuration that joins them, and an open runtime of it."""

    crm: Any
    erp: Any
    served: Any
    folder: Path
    config: dict[str, Any]
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    runtime: Any = None
    number: int = 0

    # -- weft

    async def open(self) -> None:
        from weft.config.loading import load_text
        from weft.plugins import Plugins
        from weft.runtime import Runtime
        from weft.state.store import State

        text = yaml.safe_dump(self.config, sort_keys=False)
        state = State.open(f"sqlite:///{self.folder}/weft.db")
        self.stack.callback(state.close)
        self.runtime = await self.stack.enter_async_context(Runtime(load_text(text), state, Plugins.discover()))

    def reopen(self) -> None:
        """weft is stopped and started again with ``config`` as it is now."""
        self.served.run(self.stack.aclose)
        self.stack = AsyncExitStack()
        self.served.run(self.open)

    def sync(self, *flows: str, sweep: bool = False, states: tuple[str, ...] = OK) -> list[Any]:
        """Run flows; every run must end in one of these states."""
        from weft.sync.cycle import sync

        reports = self.served.run(lambda: sync(self.runtime, list(flows) or None, sweep=sweep))
        for report in reports:
            told = [f"{one.kind}: {one.label}: {one.reason}" for one in self.issues(report.flow)]
            assert report.state in states, f"{report.flow} {report.state}: {report.error} {told}"
        return reports

    def issues(self, flow: str) -> list[Any]:
        state = self.runtime.state
        return self.served.run(lambda: state.read(lambda tx: tx.issues.page(flow=flow, limit=1000)))

    def quiet(self, *flows: str) -> None:
        """Another sync writes nothing to either system: both sides agree, and nothing echoes."""
        before = self.writes()
        reports = self.sync(*flows)
        assert self.writes() == before, self._written()[-3:]
        done = {name: report.counts.get(name, 0) for report in reports for name in ("created", "updated", "deleted")}
        assert not any(done.values()), done

    def _written(self) -> list[Any]:
        return [
            (one.method, one.path)
            for sim in (self.crm, self.erp)
            for one in sim.request_log
            if one.method in ("POST", "PATCH", "PUT", "DELETE")
            and not one.path.endswith(("/$batch", "/Login", "/token"))
        ]

    def writes(self) -> int:
        return len(self._written())

    def link(self, entity: str, left: str | None = None, right: str | None = None) -> Any:
        """The link of a record; fails unless there is exactly one."""
        found = [
            one
            for one in self.links(entity)
            if (left is None or one.left_key == left) and (right is None or one.right_key == right)
        ]
        assert len(found) == 1, f"{len(found)} links of {entity} {left or right}"
        return found[0]

    def links(self, entity: str) -> list[Any]:
        state = self.runtime.state
        return self.served.run(lambda: state.read(lambda tx: tx.links.page(0, 10_000, entity=entity)))

    def journal(self, flow: str, left: str) -> list[Any]:
        """What weft did to a record of Creatio, oldest first."""
        state = self.runtime.state
        found = self.served.run(lambda: state.read(lambda tx: tx.journal.page(flow=flow, key=left, limit=100)))
        return sorted(found, key=lambda entry: entry.id)

    def settle(self, *flows: str) -> None:
        """Sync until what an unanswered write became has been found out: its time to land is short here."""
        import time

        until = time.monotonic() + 20
        while time.monotonic() < until:
            self.sync(*flows, states=("done", "issues"))
            found = [issue for flow in flows for issue in self.issues(flow)]
            if any(issue.next_try_at is None for issue in found) or not found:
                return  # nothing is open, or it is for a person to say
            time.sleep(0.3)

    @contextmanager
    def fault(self, system: str, kind: str, **about: Any) -> Iterator[Any]:
        """A fault in force for the time being."""
        from weft.testing.simulator.faults import Fault

        faults = getattr(self, system).faults
        fault = Fault(kind, **about)  # type: ignore[arg-type]
        fault = self.served.call(lambda: faults.add(fault))
        try:
            yield fault
        finally:
            self.served.call(faults.clear)

    # -- people in Creatio

    def add(self, entity: str, **values: Any) -> str:
        return str(self.served.call(lambda: self.crm.as_user().create(entity, values)))

    def edit(self, entity: str, key: str, **values: Any) -> None:
        self.served.call(lambda: self.crm.as_user().edit(entity, key, values))

    def remove(self, entity: str, key: str) -> None:
        self.served.call(lambda: self.crm.as_user().delete(entity, key))

    def row(self, entity: str, key: str) -> dict[str, Any]:
        return dict(self.served.call(lambda: self.crm.as_user().read(entity, key)))

    def rows(self, entity: str, **wanted: Any) -> list[dict[str, Any]]:
        """Rows whose columns are so."""
        found = self.served.call(lambda: self.crm.as_user().find(entity, "$top=5000"))
        return [row for row in found if all(row[name] == value for name, value in wanted.items())]

    def one(self, entity: str, **wanted: Any) -> dict[str, Any]:
        found = self.rows(entity, **wanted)
        assert len(found) == 1, f"{len(found)} rows of {entity} with {wanted}"
        return found[0]

    def id(self, entity: str, **wanted: Any) -> str:
        return str(self.one(entity, **wanted)["Id"])

    # -- people in Business Central

    def bc(self, command: str, **values: Any) -> Any:
        """A command of the simulator; amounts in the rows it answers are Decimals."""
        answer = self.served.run(lambda: self.erp.command(command, **values))
        rows = answer if isinstance(answer, list) else [answer]
        name = {"receive_payment": "salesInvoices"}.get(command, values.get("set", ""))
        schema = next(iter(self.erp.env.companies.values())).schema
        for row in rows:
            place = row.get("set", name) if isinstance(row, dict) else ""
            for column, property in schema[place].properties.items() if place else ():
                if property.kind == "N" and isinstance(row.get(column), str):
                    row[column] = Decimal(row[column])
        return answer

    def bc_rows(self, set: str, company: str | None = None, **wanted: Any) -> list[dict[str, Any]]:
        found = self.bc("list", set=set, company=company, limit=100_000)
        return [row for row in found if all(row[name] == value for name, value in wanted.items())]

    def bc_one(self, set: str, company: str | None = None, **wanted: Any) -> dict[str, Any]:
        found = self.bc_rows(set, company, **wanted)
        assert len(found) == 1, f"{len(found)} rows of {set} with {wanted}"
        return found[0]

    def bc_id(self, set: str, **wanted: Any) -> str:
        return str(self.bc_one(set, **wanted)["id"])

    def bc_lines(self, set: str, document: str, company: str | None = None) -> list[dict[str, Any]]:
        """Lines of a document of this set, in their order."""
        found = self.bc_rows(f"{set.removesuffix('s')}Lines", company, documentId=document)
        return sorted(found, key=lambda line: line["sequence"])

    # -- things that many tests need

    def name(self, what: str) -> str:
        self.number += 1
        return f"{what} {self.number}"

    def account(self, name: str | None = None, **values: Any) -> str:
        """A customer, typed into Creatio."""
        values = {"Name": name or self.name("Fabrikam"), "TypeId": CUSTOMER, **values}
        return self.add("Account", **values)

    def product(self, name: str | None = None, **values: Any) -> str:
        """A product, typed into Creatio: sold by the piece, in dollars."""
        title = name or self.name("Chair")
        defaults = {"Name": title, "Code": title.upper().replace(" ", "-"), "Active": True}
        return self.add("Product", **{**defaults, **values})

    def line(self, entity: str, parent: str, product: str, quantity: Any, price: Any, **more: Any) -> str:
        """A line of an order or invoice, typed into Creatio."""
        values = {f"{entity.removesuffix('Product')}Id": parent, "ProductId": product, "Name": more.pop("Name", "Line")}
        return self.add(entity, **values, **amounts(quantity, price, **more))

    def edit_line(self, entity: str, key: str, **changed: Any) -> None:
        """As Creatio's page does it: the amounts are computed again."""
        row = self.row(entity, key)
        now = {"Quantity": row["Quantity"], "Price": row["Price"], "percent": row["DiscountPercent"],
               "tax": row["DiscountTax"], **changed}  # fmt: skip
        self.edit(entity, key, **amounts(now.pop("Quantity"), now.pop("Price"), **now))

    def currency(self, code: str) -> str:
        return self.id("Currency", ShortName=code)

    def country(self, alpha2: str) -> str:
        return self.id("Country", Alpha2Code=alpha2)

    def unit(self, short: str) -> str:
        return self.id("Unit", ShortName=short)

    def partner(self, entity: str, key: str) -> str:
        """The key in Business Central of what is linked to a row of Creatio."""
        return str(self.link(entity, left=key).right_key)


def connection_of(kind: str, served: Any, right: Any, companies: tuple[str, ...] = (USA,)) -> dict[str, Any]:
    """The connection to a served ERP, as weft.yaml has it."""
    from weft_bc.simulator import CLIENT_ID, CLIENT_SECRET

    found = {"kind": kind, "url": served.url(right), "authority": f"{served.url(right.entra)}/{{tenant}}",
             "ca_file": served.ca_file, "settle_seconds": 2}  # fmt: skip
    if kind == "bc":
        auth = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        return {**found, "tenant": right.config.tenant, "company": companies[0], "auth": auth}
    from weft_d365fo.simulator import CLIENT_ID as FO_ID
    from weft_d365fo.simulator import CLIENT_SECRET as FO_SECRET
    from weft_d365fo.simulator import Settings

    defaults = {"ProductGroupId": "Parts", "ItemModelGroupId": "FIFO", "StorageDimensionGroupName": "SiteWH",
                "TrackingDimensionGroupName": "None", "InventoryUnitSymbol": "ea"}  # fmt: skip
    auth = {"client_id": FO_ID, "client_secret": FO_SECRET}
    return {**found, "tenant": Settings().tenant, "company": "usmf", "revenue_account": "401100", "sweep_every": 0,
            "site": "1", "product_defaults": defaults, "auth": auth}  # fmt: skip


MakeWorld = Callable[..., World]


@pytest.fixture(scope="session")
def weft_package() -> Any:
    """weft's package, as a site reads it."""
    from weft_creatio.package.build import BuildOptions, build_archive
    from weft_creatio.package.contents import read_package
    from weft_creatio.package.model import load_model

    return read_package(build_archive(load_model(), BuildOptions()))


@pytest.fixture(scope="module")
def make_world(tmp_path_factory: pytest.TempPathFactory, weft_package: Any) -> Iterator[MakeWorld]:
    """``make_world(flows, companies=[...], connections={"erp": {...}}, **more of weft.yaml)``."""
    from weft.testing.simulator.serve import serve_in_thread
    from weft_bc.simulator import BusinessCentralSimulator
    from weft_creatio.simulator import CreatioSimulator

    with ExitStack() as stack:

        def make(
            flows: dict[str, Any],
            *,
            companies: tuple[str, ...] = (USA,),
            connections: dict[str, Any] | None = None,
            crm: dict[str, Any] | None = None,
            erp: dict[str, Any] | None = None,
            kind: str = "bc",
            **more: Any,
        ) -> World:
            left = CreatioSimulator.create(records=0, **(crm or {}))
            left.installer.apply(weft_package)
            right: Any
            if kind == "bc":
                right = BusinessCentralSimulator.create(
                    **{"records": 0, "documents": 0, "companies": list(companies), "webhooks": False, **(erp or {})}
                )
            else:
                from weft_d365fo.simulator import FinanceOperationsSimulator

                right = FinanceOperationsSimulator.create(
                    **{"records": 0, "documents": 0, "companies": ["usmf"], **(erp or {})}
                )
            for sim in (left, right):
                sim.request_log = deque()  # `quiet` counts all of it
            served = stack.enter_context(serve_in_thread(left, right, right.entra))
            folder = tmp_path_factory.mktemp("world")
            config: dict[str, Any] = {
                "state": f"sqlite:///{folder}/weft.db",
                "connections": {
                    "crm": {
                        "kind": "creatio",
                        "url": served.url(left),
                        "ca_file": served.ca_file,
                        "auth": {"username": "Integration", "password": "Integration"},
                    },
                    "erp": connection_of(kind, served, right, companies),
                },
                "flows": flows,
                **more,
            }
            for name, values in (connections or {}).items():
                config["connections"][name] |= values
            world = World(left, right, served, folder, json.loads(json.dumps(config)))
            served.run(world.open)
            stack.callback(lambda: served.run(world.stack.aclose))
            return world

        yield make


@pytest.fixture(scope="module")
def make_pack(make_world: MakeWorld) -> Callable[..., tuple[World, Any]]:
    """``make_pack(erp, changes)``: the professional edition's configuration for an ERP, and the ERP's books.
    ``changes`` are laid over its flows."""

    def make(
        kind: str,
        changes: dict[str, dict[str, Any]] | None = None,
        connections: dict[str, Any] | None = None,
        **simulated: Any,
    ) -> tuple[World, Any]:
        from tests.system.objects.books_bc import BcBooks
        from tests.system.objects.books_fo import FoBooks

        from weft.cli.init import pack
        from weft.plugins import Plugins

        flows = yaml.safe_load(pack(Plugins.discover(), {"crm": "creatio", "erp": kind}, "professional"))["flows"]
        for name, more in (changes or {}).items():
            flows[name] |= more
        books: Any = {"bc": BcBooks, "d365fo": FoBooks}[kind]
        world = make_world(flows, kind=kind, connections=connections, mappings=books.mappings, **simulated)
        return world, books(world)

    return make
