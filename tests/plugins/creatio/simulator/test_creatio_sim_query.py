"""Reads: envelopes, filters and refusals as a real site answers them."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import quote

import pytest

OURS = "e308b781-3c5b-4ecb-89ef-5c1ed4da488e"
PREFIX = "The query specified in the URI is not valid. "


async def filtered(site, text, entity="Contact"):
    return await site.call("GET", f"{entity}?$top=5&$filter={quote(text)}")


async def test_metadata_has_singular_sets_and_no_defaults(site):
    answer = await site.call("GET", "$metadata")
    names = {"m": "http://docs.oasis-open.org/odata/ns/edm"}
    schema = ElementTree.fromstring(answer.content).find(".//m:Schema", names)  # noqa: S314
    assert schema.get("Namespace") == "Terrasoft.Configuration.OData"
    types = {t.get("Name"): t for t in schema.findall("m:EntityType", names)}
    assert {"Account", "OrderProduct", "SupplyPaymentElement"} <= set(types)
    assert "Accounts" not in types
    order = {p.get("Name"): p for p in types["Order"].findall("m:Property", names)}
    assert order["AccountId"].get("Type") == "Edm.Guid"
    assert order["Number"].get("Nullable") == "false"
    assert order["Date"].get("Type") == "Edm.DateTimeOffset"
    assert all(p.get("DefaultValue") is None for p in order.values())
    navs = {n.get("Name"): n for n in types["Order"].findall("m:NavigationProperty", names)}
    assert navs["Account"].get("Partner") == "OrderCollectionByAccount"
    assert "OrderProductCollectionByOrder" in navs


async def test_envelope_headers_and_absent_next_link(site):
    answer = await site.call("GET", "Account?$select=Name,Code&$top=2&$count=true")
    assert answer.headers["content-type"].startswith("application/json; odata.metadata=minimal")
    assert answer.headers["odata-version"] == "4.0"
    body = answer.json()
    assert body["@odata.context"] == f"{site.root}/$metadata#Account(Name,Code)"
    assert body["@odata.count"] == 31
    assert "@odata.nextLink" not in body
    assert [set(row) for row in body["value"]] == [{"Name", "Code"}] * 2
    single = await site.get(f"Account({OURS})")
    assert single["@odata.context"].endswith("#Account/$entity")
    assert "@odata.etag" not in single
    assert (await site.call("GET", f"Account/{OURS}")).status_code == 200
    assert (await site.call("GET", "Account/$count")).text == "31"
    assert (await site.get("Account", count="true", top="0"))["value"] == []


async def test_empties_are_never_null(site):
    row = await site.row("Account", OURS)
    assert None not in row.values()
    assert row["ParentId"] == "00000000-0000-0000-0000-000000000000"
    assert row["Web"] == ""
    assert row["Completeness"] == 0
    status = (await site.get("OrderStatus", top="1"))["value"][0]
    assert status["CreatedOn"] == "0001-01-01T00:00:00Z"
    assert list(row)[-1] == "Logo@odata.mediaContentType"


async def test_decimals_keep_their_scale(site):
    text = (await site.call("GET", "Order?$select=Amount,PaymentAmount,CurrencyRate&$top=1")).text
    assert '"PaymentAmount":0.00' in text
    assert re.search(r'"CurrencyRate":\d+\.\d{8}[,}]', text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (f"Account/Id eq {OURS}", 5),
        ("Account/Name eq 'OUR COMPANY'", 5),
        ("contains(Account/Type/Name,'our comp')", 5),
        ("Account/Id eq null", 0),
        ("Phone eq null and Account/Name eq 'Our company'", 5),
        ("not(Phone ne null) and endswith(Account/Name,'any')", 5),
        ("ModifiedOn gt 2023-01-01T00:00:00Z and startswith(Account/Name,'Our')", 5),
        ("Surname eq 'O''Nobody'", 0),
    ],
)
async def test_filters_that_work(site, text, count):
    answer = await filtered(site, text)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["value"]) == count


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Foo eq 1 and Bar eq 2",
         "Could not find a property named 'Foo' on type 'Terrasoft.Configuration.OData.Contact'."),
        (f"Id eq '{OURS}'",
         "A binary operator with incompatible types was detected. Found operand types 'Edm.Guid' and 'Edm.String' "
         "for operator kind 'Equal'."),
        ("ModifiedOn gt '2024-01-01T00:00:00Z'",
         "A binary operator with incompatible types was detected. Found operand types 'Edm.DateTimeOffset' and "
         "'Edm.String' for operator kind 'GreaterThan'."),
        (" or ".join([f"Id eq {OURS}"] * 17), "The node count limit of '100' has been exceeded"),
        ("Name in ('a','b')", ""),
        (f"Id eq guid'{OURS}'", ""),
        ("substringof('a',Name)", "An unknown function with name 'substringof' was found."),
        ("Contacts/any(c: c/Name eq 'x')", ""),
    ],
)  # fmt: skip
async def test_filters_refused_with_400(site, text, message):
    answer = await filtered(site, text)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == ""
    assert error["message"].startswith(PREFIX + message)


async def test_fifteen_ids_fit_under_the_node_limit(site):
    assert (await filtered(site, " or ".join([f"Id eq {OURS}"] * 15))).status_code == 200


async def test_flat_lookup_filter_is_500(site):
    answer = await filtered(site, f"AccountId eq {OURS}")
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert error["message"] == "An error has occurred."
    assert error["innererror"]["message"] == (
        "The 'ObjectContent`1' type failed to serialize the response body for content type 'application/json'."
    )
    cause = error["innererror"]["internalexception"]["message"]
    assert cause == "Column by path AccountId not found in schema Contact."


async def test_plain_guid_columns_filter_flat(site):
    assert (await filtered(site, f"ReferenceSchemaUId eq {OURS}", "SysSettings")).status_code == 200


async def test_expand_to_depth_two_and_no_deeper(site):
    found = await site.get(
        "Order",
        expand="Account($select=Name;$expand=Country($select=Name)),OrderProductCollectionByOrder($select=Name)",
        select="Number",
        top="1",
    )
    row = found["value"][0]
    assert row["Account"]["Country"]["Name"]
    assert row["OrderProductCollectionByOrder"][0]["Name"]
    deep = "Account($expand=Owner($expand=Account))"
    assert (await site.call("GET", f"Order?$top=1&$expand={quote(deep)}")).status_code == 400


async def test_selecting_a_stream_is_500(site, inner_message):
    answer = await site.call("GET", "Account?$select=Name,Logo&$top=1")
    assert answer.status_code == 500
    assert inner_message(answer) == "Value cannot be null.\r\nParameter name: property"


async def test_unknown_set_answers(serve_site):
    site = await serve_site()
    answer = await site.call("GET", "AccountBilling")
    assert answer.status_code == 404
    assert answer.json()["MessageDetail"] == "No type was found that matches the controller named 'AccountBilling'."
    assert answer.json()["Message"].endswith("/0/odata/AccountBilling'.")
    site.sim.options.unknown_entity = "html"
    assert "File or directory not found" in (await site.call("GET", "AccountBilling")).text
    site.sim.options.unknown_entity = "401"
    assert (await site.call("GET", "AccountBilling")).status_code == 401


async def test_rows_are_capped_or_refused(serve_site):
    site = await serve_site(max_rows=10)
    assert len((await site.get("Account"))["value"]) == 10
    assert len((await site.get("Account", top="5000"))["value"]) == 10
    site.sim.options.unbounded_read = "error"
    assert (await site.call("GET", "Account")).status_code == 500


@pytest.mark.parametrize("database", ["postgres", "mssql"])
async def test_keyset_pages_meet_every_row_once(serve_site, database):
    site = await serve_site(records=40, database=database)
    site.sim.site.db.execute("UPDATE Contact SET ModifiedOn='2024-05-01T00:00:00.0000000'")
    seen, bound = [], "ModifiedOn ge 2024-01-01T00:00:00Z"
    while rows := (await site.get("Contact", filter=bound, orderby="ModifiedOn,Id", top="7", select="Id,ModifiedOn"))[
        "value"
    ]:
        seen += [row["Id"] for row in rows]
        last = rows[-1]
        stamp = last["ModifiedOn"]
        bound = f"(ModifiedOn gt {stamp}) or (ModifiedOn eq {stamp} and Id gt {last['Id']})"
    assert len(seen) == len(set(seen)) == int((await site.call("GET", "Contact/$count")).text)
    if database == "mssql":
        assert seen != sorted(seen)
        assert [i[24:] for i in seen] == sorted(i[24:] for i in seen)
    else:
        assert seen == sorted(seen)


async def test_guid_comparison_may_be_refused(serve_site):
    site = await serve_site(guid_comparison=False)
    answer = await filtered(site, f"Id gt {OURS}")
    assert answer.status_code == 400
    assert "'Edm.Guid' and 'Edm.Guid' for operator kind 'GreaterThan'" in answer.json()["error"]["message"]


async def test_property_and_plain_value(site):
    assert (await site.get(f"Account({OURS})/Name"))["value"] == "Our company"
    assert (await site.call("GET", f"Account({OURS})/Name/$value")).text == "Our company"
    assert (await site.call("GET", "Account(11111111-2222-4333-8444-555555555555)")).status_code == 404


async def test_hidden_rows_vanish_silently_and_missing_rights_are_403(site):
    key = (await site.get("Account", top="1", orderby="Name"))["value"][0]["Id"]
    await site.sim.command("hide", entity="Account", ids=[key])
    assert int((await site.call("GET", "Account/$count")).text) == 30
    assert (await site.call("GET", f"Account({key})")).status_code == 404
    assert (await site.call("PATCH", f"Account({key})", {"Name": "x"})).status_code == 403
    await site.sim.command("reveal")
    assert (await site.call("GET", f"Account({key})")).status_code == 200
    await site.sim.command("deny", entity="Account", operation="read", user="Integration")
    assert (await site.call("GET", "Account?$top=1")).status_code == 403
    site.sim.options.no_rights_status = 500
    answer = await site.call("GET", "Account?$top=1")
    assert (answer.status_code, json.loads(answer.content)["error"]["innererror"]["type"]) == (
        500, "System.Security.SecurityException",
    )  # fmt: skip


async def test_local_time_labelled_utc(serve_site):
    site = await serve_site(local_time_labelled_utc=True, server_utc_offset_minutes=120)
    created = await site.create("City", Name="Faketown")
    shown = (await site.row("City", created["Id"]))["CreatedOn"]
    stored = site.sim.site.db.value("SELECT CreatedOn FROM City WHERE Id=?", (created["Id"],))
    assert shown.endswith("Z")
    assert int(shown[11:13]) == (int(stored[11:13]) + 2) % 24
