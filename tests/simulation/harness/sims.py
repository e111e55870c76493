"""The simulators of Creatio and of an ERP in one process, empty, with weft's package installed.

They are factories for ``serve_in_process``, and add the commands by which the simulation looks at rows,
enters what takes several steps, and empties the systems.
"""

from __future__ import annotations

from typing import Any

from weft.testing.simulator import SimClock, Simulator
from weft_bc.simulator.server import BusinessCentralSimulator
from weft_creatio.package.build import BuildOptions, build_archive
from weft_creatio.package.contents import read_package
from weft_creatio.package.model import load_model
from weft_creatio.simulator import CreatioSimulator
from weft_d365fo.simulator.commands import exact
from weft_d365fo.simulator.server import FinanceOperationsSimulator


def _crm() -> CreatioSimulator:
    crm = CreatioSimulator.create(0, 7, clock=SimClock(distinct=True))
    crm.installer.apply(read_package(build_archive(load_model(), BuildOptions())))

    async def find(entity: str, query: str = "") -> list[dict[str, Any]]:
        return crm.as_user().find(entity, query)

    crm.register("find", find, "records as OData shows them: entity, query")
    return crm


def with_bc() -> list[Simulator]:
    erp = BusinessCentralSimulator.create(records=0, documents=0, clock=SimClock(precision_ns=1_000_000))

    async def empty() -> None:
        company = next(iter(erp.env.companies.values()))
        for name in ("customers", "items"):
            for row in list(company.tables[name]):
                erp.env.writer.remove(company, company.schema[name], row, "*")

    erp.register("empty", empty, "delete all customers and items")
    return [_crm(), erp, erp.entra]


FO_TABLES = ("CustTable", "LogisticsElectronicAddress", "InventTable", "EcoResProduct", "SalesPriceAgreements",
             "WarehousesOnHandV2", "InventorySitesOnHandV2")  # fmt: skip
"""Customers and products of Finance & Operations, and what goes with them."""


def with_d365fo() -> list[Simulator]:
    erp = FinanceOperationsSimulator.create(
        records=0, documents=0, companies=["usmf"], clock=SimClock(precision_ns=1_000_000)
    )
    world, writer = erp.world, erp.service.writer

    async def empty() -> None:
        for table in FO_TABLES:
            for row in world.rows(table):
                world.delete(table, row)

    async def release(values: dict[str, Any]) -> dict[str, Any]:
        """Nobody sees the product before it has its price, as the dialog for new ones saves both."""
        given = {"ProductType": "Item", "ProductSubType": "Product", **exact(values)}
        price = {"SalesPrice": given.pop("SalesPrice")}
        creations, released = world.shown_set("ReleasedProductCreationsV2"), world.shown_set("ReleasedProductsV2")
        with world.store.transaction():
            columns = {creations.columns[name]: value for name, value in given.items()}
            row = writer.insert(creations, columns, world.company("usmf"))
            writer.change(released, row, {released.columns[name]: value for name, value in price.items()})
        return {"ItemNumber": row["ItemNumber"]}

    erp.register("empty", empty, "delete all customers and products")
    erp.register("release", release, "enter a product as a person does: values, the price among them")
    return [_crm(), erp, erp.entra]
