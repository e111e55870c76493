"""Writes: echoes, validation, references and stored precision."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

ZERO = "00000000-0000-0000-0000-000000000000"
MINE = "aaaaaaaa-1111-4222-8333-bbbbbbbbbbbb"
NOWHERE = "12345678-1234-4234-8234-123456789012"


async def test_post_echoes_the_full_entity_with_defaults(site):
    answer = await site.call("POST", "Contact", {"Name": "Nina Test", "Id": MINE})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{site.root}/Contact({MINE})"
    body = answer.json()
    assert body["@odata.context"].endswith("#Contact/$entity")
    assert body["Confirmed"] is True
    assert body["OwnerId"] == body["ModifiedById"] == site.sim.site.technical_user.contact
    assert body["ContactPhoto@odata.mediaReadLink"] == f"Contact({MINE})/ContactPhoto"


async def test_stamps_have_seven_digits_in_the_echo_and_what_the_database_keeps_later(serve_site):
    for database, digits in (("postgres", 6), ("mssql", 7)):
        site = await serve_site(database=database)
        echoed, stored = set(), set()
        for number in range(12):
            row = await site.create("City", Name=f"C{number}")
            echoed.add(len(re.search(r"\.?(\d*)Z$", row["ModifiedOn"])[1]))
            stored.add(len(re.search(r"\.?(\d*)Z$", (await site.row("City", row["Id"]))["ModifiedOn"])[1]))
        assert max(echoed) == 7
        assert max(stored) == digits


async def test_second_post_with_the_same_id_is_500(serve_site, inner_message):
    for database, text in (("postgres", "23505: duplicate key"), ("mssql", "Violation of PRIMARY KEY constraint")):
        site = await serve_site(database=database)
        await site.create("City", Id=MINE, Name="Once")
        answer = await site.call("POST", "City", {"Id": MINE, "Name": "Twice"})
        assert answer.status_code == 500
        assert inner_message(answer).startswith(text)
        assert (await site.row("City", MINE))["Name"] == "Once"


async def test_patch_is_204_without_a_body_and_moves_modified_on(site):
    row = await site.create("Account", Name="Before")
    before = (await site.row("Account", row["Id"]))["ModifiedOn"]
    answer = await site.patch("Account", row["Id"], Name="After")
    assert answer.content == b""
    now = await site.row("Account", row["Id"])
    assert now["Name"] == "After"
    assert now["ModifiedOn"] > before
    assert now["CreatedOn"] < now["ModifiedOn"]


async def test_unknown_property(site, inner_message):
    row = await site.create("Account", Name="Known")
    text = (
        "item : The property 'Emal' does not exist on type 'Terrasoft.Configuration.OData.Account'. "
        "Make sure to only use property names that are defined by the type."
    )
    for method, path in (("POST", "Account"), ("PATCH", f"Account({row['Id']})")):
        answer = await site.call(method, path, {"Name": "Changed", "Emal": "x"})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == "The request is invalid."
        assert inner_message(answer) == text
    site.sim.options.unknown_property_on_patch = "ignore"
    await site.patch("Account", row["Id"], Name="Changed", Emal="x")
    assert (await site.row("Account", row["Id"]))["Name"] == "Known"
    assert (await site.call("POST", "Account", {"Name": "Changed", "Emal": "x"})).status_code == 400


async def test_lookups_zero_is_dropped_null_clears_and_navigation_is_ignored(site):
    city = (await site.get("City", top="1"))["value"][0]["Id"]
    row = await site.create("Account", Name="Placed", CityId=city)
    await site.patch("Account", row["Id"], CityId=ZERO)
    assert (await site.row("Account", row["Id"]))["CityId"] == city
    await site.patch("Account", row["Id"], CityId=None)
    assert (await site.row("Account", row["Id"]))["CityId"] == ZERO
    other = await site.create("Account", Name="Ignored", City=city)
    assert other["CityId"] == ZERO


async def test_text_too_long(serve_site, inner_message):
    site = await serve_site()
    answer = await site.call("POST", "Account", {"Name": "x" * 251})
    assert (answer.status_code, inner_message(answer)) == (500, "22001: value too long for type character varying(250)")
    site.sim.options.text_too_long = "truncate"
    assert len((await site.create("Account", Name="x" * 251))["Name"]) == 250


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2024-03-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("2024-03-01T23:30:00-02:00", "2024-03-02T00:00:00Z"),
        ("2024-03-01", "2024-02-29T00:00:00Z"),
    ],
)
async def test_dates_in_bodies(serve_site, sent, stored):
    site = await serve_site(server_utc_offset_minutes=180)
    row = await site.create("Contact", Name="Dated", BirthDate=sent)
    assert row["BirthDate"] == stored


async def test_zoneless_datetime(site):
    body = {"Name": "Dated", "BirthDate": "2024-03-01T00:00:00"}
    assert (await site.call("POST", "Contact", body)).status_code == 400
    site.sim.options.zoneless_datetime = "zero"
    assert (await site.create("Contact", **body))["BirthDate"] == "0001-01-01T00:00:00Z"


async def test_values_of_the_wrong_type_are_400(site):
    for name, value in (("Completeness", "1"), ("Name", 5), ("OwnerId", "x"), ("Completeness", 2**31)):
        answer = await site.call("POST", "Account", {"Name": "x", name: value})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == "The request is invalid."
    body = {"Name": "P", "Price": "12.50"}
    assert (await site.call("POST", "Product", body)).status_code == 400
    compatible = {"Content-Type": "application/json;IEEE754Compatible=true"}
    answer = await site.call("POST", "Product", body, **compatible)
    assert answer.status_code == 201
    assert '"Price":12.50' in answer.text


async def test_money_is_exact(site):
    row = await site.create("Product", Name="Dear", Price=123456789012.35)
    assert (await site.row("Product", row["Id"]))["Price"] == Decimal("123456789012.35")


async def test_broken_references(serve_site, inner_message):
    texts = {
        "postgres": (
            '23503: insert or update on table "Contact" violates foreign key constraint "FKContactAccount"',
            '23503: update or delete on table "Account" violates foreign key constraint "FKContactAccount" '
            'on table "Contact"',
        ),
        "mssql": (
            "The INSERT statement conflicted with the FOREIGN KEY constraint",
            "The DELETE statement conflicted with the REFERENCE constraint",
        ),
    }
    for database, (on_insert, on_delete) in texts.items():
        site = await serve_site(database=database)
        answer = await site.call("POST", "Contact", {"Name": "Lost", "AccountId": NOWHERE})
        assert answer.status_code == 500
        assert inner_message(answer).startswith(on_insert)
        account = await site.create("Account", Name="Parent")
        contact = await site.create("Contact", Name="Child", AccountId=account["Id"])
        answer = await site.call("DELETE", f"Account({account['Id']})")
        assert answer.status_code == 500
        assert inner_message(answer).startswith(on_delete)
        assert (await site.call("DELETE", f"Contact({contact['Id']})")).status_code == 204
        assert (await site.call("DELETE", f"Account({account['Id']})")).status_code == 204
        assert (await site.call("GET", f"Account({account['Id']})")).status_code == 404


async def test_required_columns(site, inner_message):
    answer = await site.call("POST", "Account", {"Code": "1"})
    assert (answer.status_code, inner_message(answer)) == (500, "Column Name is required")
    answer = await site.call("POST", "OpportunityInStage", {})
    assert inner_message(answer) == "Column Opportunity is required"


async def test_missing_rows(site):
    assert (await site.call("PATCH", f"Account({NOWHERE})", {"Name": "x"})).status_code == 204
    assert (await site.call("GET", f"Account({NOWHERE})")).status_code == 404
    site.sim.options.missing_on_patch = "404"
    assert (await site.call("PATCH", f"Account({NOWHERE})", {"Name": "x"})).status_code == 404
    for method in ("PUT", "MERGE"):
        assert (await site.call(method, f"Account({NOWHERE})", {"Name": "x"})).status_code == 405


async def test_system_columns_in_a_body_are_overwritten(site):
    row = await site.create("Account", Name="Stamped", ModifiedOn="2001-01-01T00:00:00Z")
    assert not row["ModifiedOn"].startswith("2001")
    site.sim.options.system_columns_writable = True
    row = await site.create("Account", Name="Stamped", ModifiedOn="2001-01-01T00:00:00Z")
    assert row["ModifiedOn"] == "2001-01-01T00:00:00Z"


async def test_streams(site):
    image = await site.create("SysImage", Name="logo.png", MimeType="image/png")
    link = f"SysImage({image['Id']})/Data"
    headers = {"Content-Type": "application/octet-stream"}
    answer = await site.http.put(f"{site.root}/{link}", content=b"\x89PNG", headers=headers)
    assert answer.status_code == 200
    assert (await site.call("GET", link)).content == b"\x89PNG"
    assert (await site.call("DELETE", link)).status_code == 204
    assert (await site.call("GET", link)).content == b""


async def test_people_write_through_the_same_pipeline(site):
    person = site.sim.as_user("Alex Wilber")
    key = person.create("Account", {"Name": "By hand"})
    assert (await site.row("Account", key))["CreatedById"] == person.user.contact
    await site.patch("Account", key, Name="By weft")
    assert (await site.row("Account", key))["ModifiedById"] == site.sim.site.technical_user.contact
    person.edit("Account", key, {"Name": "By hand again"})
    assert (await site.row("Account", key))["ModifiedById"] == person.user.contact
    with pytest.raises(RuntimeError, match="FKAccountCity"):
        person.edit("Account", key, {"CityId": NOWHERE})


async def test_background_process_moves_modified_on_later(serve_site):
    site = await serve_site(background_touch_seconds=1.2)
    row = await site.create("City", Name="Touched")
    first = (await site.row("City", row["Id"]))["ModifiedOn"]
    site.sim.clock.advance(2)
    second = (await site.row("City", row["Id"]))["ModifiedOn"]
    assert second > first
