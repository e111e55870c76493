"""The simulators of Creatio and Business Central in one process, empty, with weft's package installed."""

from __future__ import annotations

from typing import Any

from weft.testing.simulator import SimClock, Simulator
from weft_bc.simulator.server import BusinessCentralSimulator
from weft_creatio.package.build import BuildOptions, build_archive
from weft_creatio.package.contents import read_package
from weft_creatio.package.model import load_model
from weft_creatio.simulator import CreatioSimulator


def both() -> list[Simulator]:
    """Factory for ``serve_in_process``; adds the commands by which the simulation looks at rows."""
    crm = CreatioSimulator.create(0, 7, clock=SimClock(distinct=True))
    crm.installer.apply(read_package(build_archive(load_model(), BuildOptions())))
    erp = BusinessCentralSimulator.create(records=0, documents=0, clock=SimClock(precision_ns=1_000_000))

    async def find(entity: str, query: str = "") -> list[dict[str, Any]]:
        return crm.as_user().find(entity, query)

    async def items_and_customers() -> None:
        company = next(iter(erp.env.companies.values()))
        for name in ("customers", "items"):
            for row in list(company.tables[name]):
                erp.env.writer.remove(company, company.schema[name], row, "*")

    crm.register("find", find, "records as OData shows them: entity, query")
    erp.register("empty", items_and_customers, "delete all customers and items")
    return [crm, erp, erp.entra]
