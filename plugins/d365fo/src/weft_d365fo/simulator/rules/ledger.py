"""Accounts, exchange rates, dimension values, projects, timesheets, availability."""

from __future__ import annotations

from decimal import Decimal

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.rules.base import Relation, Rule, Write, must_be_filled, not_found
from weft_d365fo.simulator.schema import NEVER
from weft_d365fo.simulator.views import RECID
from weft_d365fo.simulator.world import World


def rules() -> dict[str, Rule]:
    return {
        "MainAccounts": MainAccounts(),
        "ExchangeRates": ExchangeRates(),
        "FinancialDimensionValues": DimensionValues(),
        "ProjTable": Projects(),
        "TimesheetTables": Timesheets(),
        "CDSInventoryOnHandRequests": OnHandRequests(),
    }


class MainAccounts(Rule):
    relations = (
        Relation("ChartOfAccounts", "ChartOfAccounts", "ChartOfAccounts", "Chart of accounts", company=False),
        Relation("DefaultCurrency", "Currencies", "CurrencyCode", "Currency", company=False),
    )

    def default(self, w: Write) -> None:
        if w.creating:
            recid = w.world.next_recid()
            w.set(RECID, recid)
            w.set("MainAccountRecId", recid)
            chart = w.related("ChartOfAccounts", ChartOfAccounts=w.get("ChartOfAccounts"))
            w.set("ChartOfAccountsRecId", chart.get("ChartOfAccountsRecId", 0) if chart else 0)

    def check_delete(self, world: World, row: Row) -> None:
        account = row["MainAccountId"]
        for line in world.rows("LedgerJournalTrans"):
            if line.get("AccountType") == "Ledger" and str(line.get("AccountDisplayValue", "")).startswith(account):
                raise refused("Error", "Main accounts cannot be deleted while dependent Journal lines exist.")


class ExchangeRates(Rule):
    relations = (
        Relation("RateTypeName", "ExchangeRateTypes", "Name", "Exchange rate types", company=False),
        Relation("FromCurrency", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("ToCurrency", "Currencies", "CurrencyCode", "Currency", company=False),
    )

    def default(self, w: Write) -> None:
        if w.creating:
            w.set("$pair", w.world.next_recid())
            w.set("EndDate", f"{NEVER[:10]}T12:00:00Z")
            w.default("ConversionFactor", "Hundred")

    def check(self, w: Write) -> None:
        if Decimal(w.get("Rate")) <= 0:
            raise must_be_filled("Rate", w.table)


class DimensionValues(Rule):
    relations = (
        Relation("FinancialDimension", "DimensionAttributes", "DimensionName", "Financial dimensions", company=False),
    )


class Projects(Rule):
    relations = (
        Relation("ProjectGroupId", "ProjectGroups", "ProjectGroup", "Project groups"),
        Relation("CustomerAccountNumber", "CustTable", "CustomerAccount", "Customers"),
        Relation("ParentProjectId", "ProjTable", "ProjectId", "Projects"),
        Relation("ProjectContractId", "ProjectContracts", "ProjectContractID", "Project contracts"),
        Relation("SalesTaxGroupId", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("ProjectManagerPersonnelNumber", "Workers", "PersonnelNumber", "Worker", company=False),
        Relation("SalesManagerPersonnelNumber", "Workers", "PersonnelNumber", "Worker", company=False),
    )

    def default(self, w: Write) -> None:
        if w.creating:
            w.number("ProjectId", "projects", "PRJ{:06d}")
            w.default("ScheduleStartDate", w.world.today)
            w.default("ProjectStage", "Created")
            w.default("DateOfCreation", w.world.today)
            w.default("ProjectedStartDate", w.get("ScheduleStartDate"))
        group = w.related("ProjectGroups", dataAreaId=w.home().id, ProjectGroup=w.get("ProjectGroupId"))
        if group is not None and "ProjectType" in w.world.filed("ProjTable").blanks:
            w.set("ProjectType", group.get("ProjectType"))

    def check(self, w: Write) -> None:
        if not w.get("ProjectName"):
            raise must_be_filled("ProjectName", w.table)
        if not w.get("ProjectGroupId"):
            raise must_be_filled("ProjectGroupId", w.table)
        if w.world.settings.project_contracts and w.get("CustomerAccountNumber") and not w.get("ProjectContractId"):
            raise must_be_filled("ProjectContractId", w.table)

    def check_delete(self, world: World, row: Row) -> None:
        for order in world.rows("SalesTable", row["dataAreaId"]):
            if order.get("ProjectId") == row["ProjectId"]:
                raise refused("Error", "Projects cannot be deleted while dependent Sales orders exist.")


class Timesheets(Rule):
    """Headers only; lines are not public."""

    relations = (Relation("PersonnelNumber", "Workers", "PersonnelNumber", "Worker", company=False),)

    def default(self, w: Write) -> None:
        if w.creating:
            w.number("TimesheetNumber", "timesheets", "TS{:06d}", always=True)
            w.default("StartDate", w.world.today)
            w.default("LegalEntity", w.home().id)
            w.set("ApprovalStatus", "Create")
            worker = w.related("Workers", PersonnelNumber=w.get("PersonnelNumber"))
            w.default("Name", worker.get("Name") if worker else "")


class OnHandRequests(Rule):
    """A request makes the entries that answer it."""

    def default(self, w: Write) -> None:
        if w.creating and not w.given.get("RequestId"):
            w.set("RequestId", w.world.next_number(w.home().id, "on hand requests", "{:010d}"))

    def check(self, w: Write) -> None:
        number = w.get("ProductNumber")
        if not w.world.find("InventTable", "ProductNumber", number, w.home().id):
            raise not_found(w.shown.set.aot, "ProductNumber", number, "Released products")

    def after(self, w: Write, row: Row) -> Row:
        items = w.world.find("InventTable", "ProductNumber", row["ProductNumber"], w.home().id)
        for held in w.world.find("WarehousesOnHandV2", "ItemNumber", items[0]["ItemNumber"], w.home().id):
            site, warehouse = row.get("InventorySiteId", ""), row.get("InventoryWarehouseId", "")
            if site not in ("", held["InventorySiteId"]) or warehouse not in ("", held["InventoryWarehouseId"]):
                continue
            quantity = held.get("AvailableOnHandQuantity", 0)
            w.world.insert(
                "CDSInventoryOnHandEntries",
                {
                    "dataAreaId": w.home().id, "RequestId": row["RequestId"],
                    "InventorySiteId": held["InventorySiteId"], "InventoryWarehouseId": held["InventoryWarehouseId"],
                    "ATPDate": w.world.today, "ATPQuantity": quantity, "OnHandQuantity": held.get("OnHandQuantity", 0),
                    "AvailableOnHandQuantity": quantity, "TotalAvailableQuantity": quantity,
                    "OrderQuantity": row.get("OrderQuantity", 0),
                },
            )  # fmt: skip
        return row
