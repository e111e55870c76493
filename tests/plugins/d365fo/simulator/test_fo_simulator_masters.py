"""Projects, accounts, rates, dimensions, availability, and the documents an environment comes with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def test_projects_timesheets_and_accounts(fo: Any) -> None:
    project = fo.ok("POST", "ProjectsV2", {"ProjectName": "Roof", "ProjectGroupId": "TM"})
    assert (project["ProjectStage"], project["ScheduleStartDate"][11:]) == ("Created", "12:00:00Z")
    older = fo.rows(f"Projects?$filter=ProjectID eq '{project['ProjectId']}'")[0]
    assert (older["ProjectType"], older["ProjectName"]) == ("TimeMaterial", "Roof")
    fo.ok("PATCH", "CustomersV3(dataAreaId='usmf',CustomerAccount='C-000002')",
          {"DefaultDimensionDisplayValue": f"001---{project['ProjectId']}"})  # fmt: skip
    sheet = fo.ok("POST", "TimesheetTables", {"PersonnelNumber": "000001"})
    assert sheet["ApprovalStatus"] == "Create"
    fo.command("approve_timesheet", number=sheet["TimesheetNumber"])
    assert (
        fo.rows(f"TimesheetTables?$filter=TimesheetNumber eq '{sheet['TimesheetNumber']}'")[0]["ApprovalStatus"]
        == "Approved"
    )
    account = {"ChartOfAccounts": "Shared", "MainAccountId": "606310", "Name": "Paper", "MainAccountType": "Expense"}
    assert fo.ok("POST", "MainAccounts", account)["MainAccountRecId"] > 0
    chart = fo.rows("MainAccountBiEntities?$filter=MainAccountId eq '606310'")[0]
    assert fo.rows(f"ChartOfAccounts?$filter=ChartOfAccountsRecId eq {chart['LedgerChartOfAccounts']}")


def test_rates_convert_prices_and_lack_of_one_is_told(fo: Any) -> None:
    price = fo.ok("GET", "ReleasedProductsV2(dataAreaId='usmf',ItemNumber='D000002')")["SalesPrice"]
    fo.command("set_rate", currency="EUR", rate=125, date="2026-01-01")
    account = fo.customer(SalesCurrencyCode="EUR", SiteId="1")["CustomerAccount"]
    order = fo.ok("POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": account})["SalesOrderNumber"]
    line = fo.ok("POST", "SalesOrderLines", {"SalesOrderNumber": order, "ItemNumber": "D000002"})
    assert line["SalesPrice"] == Decimal(price) * 4 / 5
    fo.command("set_price", item="D000002", price=7, currency="EUR", customer=account)
    assert fo.ok("POST", "SalesOrderLines", {"SalesOrderNumber": order, "ItemNumber": "D000002"})["SalesPrice"] == 7
    fo.ok("PATCH", f"CustomersV3(dataAreaId='usmf',CustomerAccount='{account}')", {"DiscountPriceGroupId": "20"})
    fo.command("set_price", item="D000003", price=6, currency="EUR", group="20")
    fo.command("set_price", item="D000003", price=8, currency="EUR")
    assert fo.ok("POST", "SalesOrderLines", {"SalesOrderNumber": order, "ItemNumber": "D000003"})["SalesPrice"] == 6
    crowns = fo.customer(SalesCurrencyCode="DKK", SiteId="1")["CustomerAccount"]
    other = fo.ok("POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": crowns})["SalesOrderNumber"]
    refusal = fo.refused(400, "POST", "SalesOrderLines", {"SalesOrderNumber": other, "ItemNumber": "D000002"})
    assert "Exchange rate for exchange rate type Default between currency DKK and USD" in refusal


def test_availability_is_asked_for_and_then_read(fo: Any) -> None:
    fo.command("set_on_hand", item="D000001", quantity=17)
    request = fo.ok("POST", "CDSInventoryOnHandRequests", {"ProductNumber": "D000001", "IsATPCalculation": "Yes"})
    found = fo.rows(f"CDSInventoryOnHandEntries?$filter=RequestId eq '{request['RequestId']}'")
    assert [(row["InventoryWarehouseId"], row["ATPQuantity"]) for row in found] == [("11", 17)]
    empty = ",".join(f"Product{kind}Id=''" for kind in ("Color", "Configuration", "Size", "Style", "Version"))
    where = f"{empty},InventorySiteId='1',InventoryWarehouseId='11'"
    key = f"WarehousesOnHandV2(dataAreaId='usmf',ItemNumber='D000001',{where})"
    assert fo.ok("GET", key)["AvailableOnHandQuantity"] == 17


def test_an_environment_comes_with_documents_that_agree(start: Any) -> None:
    fo = start(documents=12, tax_percent="10")
    invoices = fo.rows("SalesInvoiceHeadersV2")
    assert len(invoices) == 8
    assert {row["SalesOrderStatus"] for row in fo.rows("SalesOrderHeadersV2")} == {"Invoiced", "Backorder"}
    taxed = [row for row in invoices if row["TotalTaxAmount"]]
    assert taxed
    assert all(row["TotalInvoiceAmount"] > row["TotalTaxAmount"] for row in taxed)
    audit = fo.command("audit")
    assert audit["customers_open"] == audit["customers_listed"] != "0"
    assert len(fo.rows("VendInvoiceJourBiEntities")) == 2
    assert fo.served.run(lambda: fo.sim.command("companies"))[1]["currency"] == "EUR"
    entry = fo.sim.connection(None)
    assert (entry["kind"], entry["company"], entry["url"]) == ("d365fo", "usmf", fo.sim.base_url)
