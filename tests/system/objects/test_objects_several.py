"""One Creatio, a Finance & Operations with two companies and a Business Central with two: each account routed to its
ERP and company, products released in several, documents after their customers, dimensions with them."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from tests.system.objects.conftest import UK, USA, connection_of

FO_US, FO_DE = {"connection": "erp", "company": "usmf"}, {"connection": "erp", "company": "demf"}
BC_UK = {"connection": "bc", "company": UK}
BY_COUNTRY = {"US": FO_US, "DE": FO_DE, "GB": BC_UK}
FLOWS = {
    "products": {"entity": "product", "between": ["crm", "erp", "bc"], "owner": "crm",
                 "company": [{"to": [FO_US, FO_DE, BC_UK]}], "when": "number in ['SOFA', 'STOOL']"},
    "customers": {"entity": "customer", "between": ["crm", "erp", "bc"], "owner": "crm",
                  "variants": {"crm": ["account"]}, "company": {"by": "address.country", **BY_COUNTRY}},
    "orders": {"entity": "sales_order", "between": ["crm", "erp", "bc"], "owner": "crm",
               "variants": {"crm": ["order"]}, "company": {"by": "custom.country", **BY_COUNTRY}},
}  # fmt: skip
MAPPINGS = {
    "crm": {
        "sales_order": {
            "order": {"fields": {"Account/CountryId": {"from": "custom.country", "ref": "country", "by": "id"}}}
        }
    },
    "erp": {"product": {"default": {"fields": {"InventoryUnitSymbol": {"values": {"h": "hr"}}}}}},
}


@pytest.fixture(scope="module")
def world(make_world: Any) -> Any:
    from weft.testing.simulator.serve import serve_in_thread
    from weft_bc.simulator import BusinessCentralSimulator

    made = make_world({}, kind="d365fo", erp={"companies": ["usmf", "demf"]}, mappings=MAPPINGS)
    second = BusinessCentralSimulator.create(records=0, documents=0, companies=[USA, UK], webhooks=False)
    with serve_in_thread(second, second.entra) as served:
        bc = connection_of("bc", served, second, (UK,))
        made.config["connections"]["bc"] = {**bc, "dimensions": {"department": "DEPARTMENT"}}
        made.config["connections"]["erp"].pop("company")
        made.config["connections"]["erp"]["companies"] = ["usmf", "demf"]
        made.config["flows"] = FLOWS
        made.bc2, made.served2 = second, served
        made.reopen()
        yield made
        made.served.run(made.stack.aclose)


def fo(world: Any, set: str, **wanted: Any) -> list[dict[str, Any]]:
    rows = world.served.run(lambda: world.erp.command("list", set=set, limit=10_000))
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def bc(world: Any, set: str, **wanted: Any) -> list[dict[str, Any]]:
    rows = world.served2.run(lambda: world.bc2.command("list", set=set, company=UK, limit=10_000))
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def test_accounts_go_to_their_erp_and_company_and_documents_follow(world: Any) -> None:
    accounts = {
        country: world.account(f"Store {country}", CountryId=world.country(country)) for country in ("US", "DE", "GB")
    }
    sofa = world.product("Sofa", Price=D(400))
    world.sync()
    assert [row["dataAreaId"] for row in fo(world, "CustomersV3", OrganizationName="Store US")] == ["usmf"]
    assert [row["dataAreaId"] for row in fo(world, "CustomersV3", OrganizationName="Store DE")] == ["demf"]
    assert len(bc(world, "customers", displayName="Store GB")) == 1
    assert not fo(world, "CustomersV3", OrganizationName="Store GB")
    assert {row["dataAreaId"] for row in fo(world, "ReleasedProductsV2", ItemNumber="SOFA")} == {"usmf", "demf"}
    assert len(bc(world, "items", number="SOFA")) == 1
    orders = {}
    for country, account in accounts.items():
        orders[country] = world.add("Order", AccountId=account, CurrencyId=world.currency("USD"), UsrDepartment="SALES")
        world.line("OrderProduct", orders[country], sofa, 1, 400, UsrDepartment="ADM")
        if country != "GB":
            world.edit("Order", orders[country], UsrDepartment="")
            [line] = world.rows("OrderProduct", OrderId=orders[country])
            world.edit("OrderProduct", line["Id"], UsrDepartment="")
    world.sync("orders")
    assert sorted(row["dataAreaId"] for row in fo(world, "SalesOrderHeadersV2")) == ["demf", "usmf"]
    [order] = bc(world, "salesOrders")
    for country, key in orders.items():
        link = world.link("sales_order", left=key)
        assert link.right_connection == BY_COUNTRY[country]["connection"]
        assert world.row("Order", key)["UsrErpNumber"], country
    assert [(one["code"], one["valueCode"]) for one in bc(world, "dimensionSetLines", parentId=order["id"])] == [
        ("DEPARTMENT", "SALES")
    ]
    [line] = bc(world, "salesOrderLines", documentId=order["id"])
    assert [one["valueCode"] for one in bc(world, "dimensionSetLines", parentId=line["id"])] == ["ADM"]
    world.quiet()


def test_a_dimension_changes_and_goes_on_either_side(world: Any) -> None:
    account = world.account("Store Leeds", CountryId=world.country("GB"))
    key = world.add("Order", AccountId=account, CurrencyId=world.currency("USD"), UsrDepartment="SALES")
    world.sync("customers", "orders")
    there = world.link("sales_order", left=key).right_key
    world.edit("Order", key, UsrDepartment="PROD")
    world.sync("orders")
    assert [one["valueCode"] for one in bc(world, "dimensionSetLines", parentId=there)] == ["PROD"]
    world.edit("Order", key, UsrDepartment="")
    world.sync("orders")
    assert bc(world, "dimensionSetLines", parentId=there) == []
    world.edit("Order", key, UsrDepartment="NOWHERE")
    world.sync("orders", states=("issues",))
    told = [issue.reason for issue in world.issues("orders")]
    assert told
    assert all("The Dimension Value does not exist." in one for one in told)
    world.edit("Order", key, UsrDepartment="ADM")
    world.sync("orders")
    assert world.issues("orders") == []


def test_one_erp_refuses_and_the_others_go_on(world: Any) -> None:
    """Finance & Operations is out of order for one request; nothing is lost and nothing made twice."""
    with world.fault("erp", "error_before", method="POST", path=r"\$batch", status=503):
        stool = world.product("Stool", Price=D(30))
        world.sync("products", states=("issues", "down", "failed", "done"))
    assert len(bc(world, "items", number="STOOL")) <= 1
    world.settle("products")
    assert len(bc(world, "items", number="STOOL")) == 1
    assert {row["dataAreaId"] for row in fo(world, "ReleasedProductsV2", ItemNumber="STOOL")} == {"usmf", "demf"}
    assert len([link for link in world.links("product") if link.left_key == stool]) == 3


def test_the_example_is_such_a_configuration() -> None:
    from pathlib import Path

    from weft.config.loading import load
    from weft.plugins import Plugins

    example = Path(__file__).parents[3] / "examples" / "several-erps" / "weft.yaml"
    config = load(example, Plugins.discover())
    assert {flow.entity for flow in config.flows.values()} == {"product", "customer", "sales_order"}
    assert all(flow.between == ["crm", "fo", "bc"] for flow in config.flows.values())
