"""$filter, $orderby, paging, $expand: what is served and what is not."""

from __future__ import annotations

from typing import Any

import pytest

NS = "Microsoft.Dynamics.DataEntities"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("$filter=CustomerAccount eq 'c-000003'", 1),
        ("$filter=OrganizationName eq '*VALVES*'", None),
        ("$filter=OrganizationName ne '*' and CustomerAccount eq 'C-000001'", 0),
        (f"$filter=OnHoldStatus ne {NS}.CustVendorBlocked'No'", 0),
        ("$filter=CreditLimit gt 1000 and CreditLimit le 3000", 4),
        ("$filter=CustomerAccount eq 'C-000001' or CustomerAccount eq 'C-000002'", 2),
        ("$filter=not (CustomerGroupId eq '10')", 20),
        ("$top=3&$skip=1", 3),
    ],
)
def test_filters(fo: Any, query: str, count: int | None) -> None:
    rows = fo.rows(f"CustomersV3?$select=OrganizationName,CustomerAccount&{query}")
    if count is None:
        assert rows
        assert all("valves" in row["OrganizationName"].lower() for row in rows)
    else:
        assert len(rows) == count


@pytest.mark.parametrize(
    "query",
    [
        "$filter=OrganizationName gt 'A'",
        "$filter=contains(OrganizationName,'a')",
        "$filter=CustomerAccount in ('C-000001')",
        "$filter=OnHoldStatus eq 'No'",
        f"$filter=OnHoldStatus eq {NS}.NoYes'No'",
        f"$filter=OnHoldStatus gt {NS}.CustVendorBlocked'No'",
        "$filter=Nonsense eq 'x'",
        "$filter=CreditLimit eq 'x'",
        "$filter=CustomerAccount eq",
        "$select=Nonsense",
        "$orderby=Nonsense",
        "$apply=aggregate(CreditLimit with sum as Total)",
        "$search=x",
        "$top=x",
    ],
)
def test_what_data_does_not_serve_is_refused(fo: Any, query: str) -> None:
    assert "The query" in fo.refused(400, "GET", f"CustomersV3?{query}")


def test_expand_goes_one_level_down(fo: Any) -> None:
    nested = "SalesOrderHeadersV2?$expand=SalesOrderLines($expand=SalesOrderHeaderV2)"
    assert "deeper than 1" in fo.refused(400, "GET", nested)
    account = fo.customer(SiteId="1")["CustomerAccount"]
    number = fo.ok("POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": account})["SalesOrderNumber"]
    fo.ok("POST", "SalesOrderLines", {"SalesOrderNumber": number, "ItemNumber": "D000001"})
    query = (
        f"$filter=SalesOrderNumber eq '{number}'&$select=SalesOrderNumber&$expand=SalesOrderLines($select=ItemNumber)"
    )
    row = fo.rows(f"SalesOrderHeadersV2?{query}")[0]
    assert [{k: v for k, v in line.items() if k[0] != "@"} for line in row["SalesOrderLines"]] == [
        {"ItemNumber": "D000001"}
    ]
    through = fo.rows(f"SalesOrderHeadersV2(dataAreaId='usmf',SalesOrderNumber='{number}')/SalesOrderLines")
    assert [line["ItemNumber"] for line in through] == ["D000001"]


def test_pages_are_counted_off_and_rows_that_move_are_missed(start: Any) -> None:
    fo = start(page_size=20)
    first = fo.ok("GET", "CustomersV3?$select=CustomerAccount&$count=true")
    assert (first["@odata.count"], len(first["value"])) == (30, 20)
    assert first["@odata.nextLink"].endswith("$skip=20&$top=10")
    fo.ok("DELETE", "CustomersV3(dataAreaId='usmf',CustomerAccount='C-000001')")
    rest = fo.ok("GET", first["@odata.nextLink"])
    assert "@odata.nextLink" not in rest
    seen = {row["CustomerAccount"] for row in (*first["value"], *rest["value"])}
    assert "C-000021" not in seen, "the row moved up into the first page meanwhile"
    preferred = fo.raw("GET", "CustomersV3?$select=CustomerAccount", Prefer="odata.maxpagesize=5")
    assert (len(preferred.json()["value"]), preferred.headers["preference-applied"]) == (5, "")
    assert "@odata.nextLink" not in fo.ok("GET", "CustomersV3?$top=7")
    pages, link = 0, f"{fo.root}/CustomersV3?$select=CustomerAccount&$orderby=OrganizationName desc"
    found: list[str] = []
    while link:
        answer = fo.ok("GET", link, Prefer="odata.maxpagesize=7")
        found += [row["CustomerAccount"] for row in answer["value"]]
        link, pages = answer.get("@odata.nextLink", ""), pages + 1
    assert (pages, len(set(found))) == (5, 29)


def test_changes_are_fed_by_the_tables_stamps(fo: Any) -> None:
    shown = "$select=AccountNum,SysModifiedDateTime,SourceKey"
    feed = f"CustTableBiEntities?cross-company=true&$orderby=SysModifiedDateTime,SourceKey&{shown}"
    rows = fo.rows(f"{feed}&$top=10")
    stamps = [(row["SysModifiedDateTime"], row["SourceKey"]) for row in rows]
    assert stamps == sorted(stamps)
    stamp, key = stamps[4]
    after = f"(SysModifiedDateTime gt {stamp}) or (SysModifiedDateTime eq {stamp} and SourceKey gt {key})"
    assert [row["AccountNum"] for row in fo.rows(f"{feed}&$top=5&$filter={after}")] == [
        r["AccountNum"] for r in rows[5:]
    ]
    fo.ok("PATCH", "CustomersV3(dataAreaId='usmf',CustomerAccount='C-000007')", {"CreditLimit": 77})
    latest = fo.rows(f"{feed}&$filter=SysModifiedDateTime gt {stamps[-1][0]}&$top=10000")
    newest = max(row["SysModifiedDateTime"] for row in latest)
    assert "C-000007" in {row["AccountNum"] for row in latest if row["SysModifiedDateTime"] == newest}
    assert "SysModifiedDateTime" not in fo.rows("PurchTableBiEntities?$top=1") + fo.rows("CustomersV3?$top=1")
    assert fo.rows("ExchangeRates?$filter=StartDate eq 2020-01-01T00:00:00Z&$top=1"), "dates compare by the day"


def test_metadata_levels(fo: Any) -> None:
    path = "CustomersV3?$top=1&$select=CustomerAccount"
    full = fo.ok("GET", path, Accept="application/json;odata.metadata=full")["value"][0]
    assert full["@odata.type"] == f"#{NS}.CustomerV3"
    assert full["@odata.id"] == f"{fo.root}/CustomersV3(dataAreaId='usmf',CustomerAccount='{full['CustomerAccount']}')"
    none = fo.ok("GET", path, Accept="application/json;odata.metadata=none")
    assert list(none) == ["value"]
    assert list(none["value"][0]) == ["CustomerAccount"]
