"""Customers and contacts: accounts and people who buy, two companies, numbers written back, deletes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

USA, UK = "CRONUS USA, Inc.", "CRONUS UK Ltd."
BUYER = "00783ef6-f36b-1410-a883-16d83cab0980"
CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
EMAIL = "ee1c85c3-cfcb-df11-9b2a-001d60e938c6"
NONE = "00000000-0000-0000-0000-000000000000"

FLOWS = {
    "customers": {
        "entity": "customer",
        "between": ["crm", "erp"],
        "variants": {"crm": ["account", "contact"]},
        "owner": "crm",
        "fields": {"credit_limit": "erp", "payment_terms": "erp", "currency": "erp"},
        "company": {"by": "address.country", "US": USA, "GB": UK, "default": USA},
    },
    "contacts": {"entity": "contact", "between": ["crm", "erp"], "owner": "crm", "company": USA},
    "products": {"entity": "product", "between": ["crm", "erp"], "direction": "left_to_right", "company": [USA, UK]},
    "orders": {
        "entity": "sales_order",
        "between": ["crm", "erp"],
        "direction": "left_to_right",
        "company": {"by": "custom.country", "GB": UK, "default": USA},
    },
}
# Tax stays an affair of Business Central's people.
MAPPINGS = {
    "erp": {"customer": {"default": {"fields": {"taxAreaId": None, "taxLiable": None}}}},
    # What an order's company is chosen by: where its customer is.
    "crm": {
        "sales_order": {
            "order": {"fields": {"Account/CountryId": {"from": "custom.country", "ref": "country", "by": "id"}}}
        }
    },
}


@pytest.fixture(scope="module")
def world(make_world: Any) -> Any:
    made = make_world(FLOWS, companies=(USA, UK), mappings=MAPPINGS)
    made.sync()
    return made


def test_account_becomes_a_customer_of_its_company(world: Any) -> None:
    """The country chooses the company; the number its series assigns comes back to the account."""
    american = world.account(
        "Adatum", CountryId=world.country("US"), Zip="98101", Address="1 Main Street\nSuite 4", Phone="+1 404 555 0101",
        Web="https://adatum.example", UsrTaxId="US-100",
    )  # fmt: skip
    world.add("AccountCommunication", AccountId=american, CommunicationTypeId=EMAIL, Number="office@adatum.example")
    british = world.account("Contoso", CountryId=world.country("GB"), Zip="WC1 3DG")
    elsewhere = world.account("Litware", CountryId=world.country("DE"), Zip="20097")
    world.sync("customers")

    here = world.bc_one("customers", USA, displayName="Adatum")
    assert here["type"] == "Company"
    assert (here["addressLine1"], here["addressLine2"]) == ("1 Main Street", "Suite 4")
    assert (here["email"], here["website"]) == ("office@adatum.example", "https://adatum.example")
    assert (here["country"], here["postalCode"], here["taxRegistrationNumber"]) == ("US", "98101", "US-100")
    there = world.bc_one("customers", UK, displayName="Contoso")
    assert (there["country"], there["postalCode"]) == ("GB", "WC1 3DG")
    other = world.bc_one("customers", USA, displayName="Litware")
    assert world.bc_rows("customers", UK, displayName="Adatum") == []
    for key, customer in ((american, here), (british, there), (elsewhere, other)):
        row = world.row("Account", key)
        assert customer["number"] != ""
        assert row["UsrErpNumber"] == customer["number"]
    world.quiet("customers")


def test_customer_of_either_company_becomes_an_account(world: Any) -> None:
    made = {
        company: world.bc(
            "create", set="customers", company=company,
            values={"displayName": f"Southridge {country}", "country": country, "email": f"a@southridge.{country}",
                    "phoneNumber": "+44 20 5550199", "creditLimit": 2500, "addressLine1": "2 Quay Street"},
        )
        for company, country in ((USA, "US"), (UK, "GB"))
    }  # fmt: skip
    world.sync("customers")
    for customer in made.values():
        row = world.one("Account", Name=customer["displayName"])
        assert (row["TypeId"], row["UsrErpNumber"]) == (CUSTOMER, customer["number"])
        assert (row["CountryId"], row["Address"]) == (world.country(customer["country"]), "2 Quay Street")
        assert (row["Phone"], row["UsrCreditLimit"]) == ("+44 20 5550199", Decimal(2500))
        mails = world.rows("AccountCommunication", AccountId=row["Id"], CommunicationTypeId=EMAIL)
        assert [mail["Number"] for mail in mails] == [customer["email"]]
    world.quiet("customers")


def test_person_who_buys_is_a_customer_of_type_person(world: Any) -> None:
    buyer = world.add(
        "Contact", Name="Dana Evans", TypeId=BUYER, Email="dana@evans.example", Zip="LS1 4AP",
        CountryId=world.country("GB"),
    )  # fmt: skip
    person = world.bc(
        "create", set="customers", company=USA,
        values={"displayName": "Kit Novak", "type": "Person", "email": "kit@novak.example", "country": "US"},
    )  # fmt: skip
    world.sync("customers")
    there = world.bc_one("customers", UK, displayName="Dana Evans")
    assert (there["type"], there["email"], there["postalCode"]) == ("Person", "dana@evans.example", "LS1 4AP")
    assert world.row("Contact", buyer)["UsrErpNumber"] == there["number"]
    here = world.one("Contact", Name="Kit Novak")
    assert (here["TypeId"], here["Email"], here["UsrErpNumber"]) == (BUYER, "kit@novak.example", person["number"])
    assert (here["GivenName"], here["Surname"]) == ("Kit", "Novak")
    assert world.rows("Account", Name="Kit Novak") == []
    world.quiet("customers")


def test_edits_travel_both_ways(world: Any) -> None:
    key = world.account("Munson's Pickles", CountryId=world.country("US"), Zip="30301")
    world.sync("customers")
    customer = world.partner("customer", key)
    world.edit("Account", key, Zip="30302", Phone="+1 404 555 0177")
    world.bc("edit", set="customers", key=customer, values={"website": "munsons.example", "creditLimit": 700.5})
    world.sync("customers")
    there = world.bc("get", set="customers", key=customer)
    assert (there["postalCode"], there["phoneNumber"]) == ("30302", "+1 404 555 0177")
    here = world.row("Account", key)
    assert (here["Web"], here["UsrCreditLimit"]) == ("munsons.example", Decimal("700.5"))
    world.quiet("customers")


def test_customer_that_moves_country_is_a_question(world: Any) -> None:
    """Not a second customer in another company."""
    key = world.account("Trey Research", CountryId=world.country("US"), Zip="60601")
    world.sync("customers")
    world.edit("Account", key, CountryId=world.country("GB"))
    world.sync("customers", states=("issues",))
    assert world.bc_rows("customers", UK, displayName="Trey Research") == []
    assert len(world.bc_rows("customers", USA, displayName="Trey Research")) == 1
    [issue] = [one for one in world.issues("customers") if one.key == key]
    assert UK in issue.reason
    world.edit("Account", key, CountryId=world.country("US"))
    world.sync("customers")


def test_contact_goes_both_ways(world: Any) -> None:
    account = world.account("Wingtip", CountryId=world.country("US"), Zip="33101")
    here = world.add("Contact", Name="Casey Jensen", AccountId=account, JobTitle="Buyer", Email="casey@wingtip.example")
    there = world.bc(
        "create", set="contacts",
        values={"displayName": "Lou Moreau", "type": "Person", "email": "lou@moreau.example", "jobTitle": "Clerk"},
    )  # fmt: skip
    world.sync()
    contact = world.bc_one("contacts", displayName="Casey Jensen")
    assert (contact["type"], contact["jobTitle"], contact["email"]) == ("Person", "Buyer", "casey@wingtip.example")
    assert world.row("Contact", here)["UsrErpNumber"] == contact["number"]
    row = world.one("Contact", Name="Lou Moreau")
    assert (row["JobTitle"], row["UsrErpNumber"]) == ("Clerk", there["number"])
    world.edit("Contact", here, JobTitle="Head of buying")
    world.bc("edit", set="contacts", key=there["id"], values={"mobilePhoneNumber": "+33 6 5550"})
    world.sync()
    assert world.bc("get", set="contacts", key=contact["id"])["jobTitle"] == "Head of buying"
    assert world.row("Contact", row["Id"])["MobilePhone"] == "+33 6 5550"
    world.quiet()


def test_order_goes_where_its_customer_is(world: Any) -> None:
    """A product is released in both companies; the order names the item and the customer of its own."""
    product = world.product("Whiteboard", Price=Decimal(80))
    orders = {}
    for company, country in ((USA, "US"), (UK, "GB")):
        account = world.account(f"Lamna {country}", CountryId=world.country(country), Zip="12345")
        orders[company] = world.add("Order", AccountId=account, CurrencyId=world.currency("USD"))
        world.line("OrderProduct", orders[company], product, 2, 80)
    world.sync()
    for company, key in orders.items():
        order = world.bc("get", set="salesOrders", key=world.partner("sales_order", key), company=company)
        customer = world.bc_one("customers", company, id=order["customerId"])
        assert customer["displayName"] == f"Lamna {'US' if company == USA else 'GB'}"
        [line] = world.bc_lines("salesOrders", order["id"], company)
        assert line["itemId"] == world.bc_one("items", company, number="WHITEBOARD")["id"]
        assert (order["currencyCode"], order["totalAmountIncludingTax"]) == ("USD", 160)
        assert world.row("Order", key)["UsrErpNumber"] == order["number"]
    world.quiet()
