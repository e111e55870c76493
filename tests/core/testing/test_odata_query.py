"""Query options, $metadata and wire values."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.testing.odata.edmx import metadata_xml, service_document
from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.query import OrderItem, parse_query
from weft.testing.odata.render import loads
from weft.testing.odata.schema import Action, EntityType, EnumType, Model, Navigation, Property, navigations, properties
from weft.testing.odata.values import instant_key, instant_ns, instant_wire, matches_type, normal_instant


def test_all_options() -> None:
    query = parse_query(
        "$filter="
        + quote("Name eq 'A&B,C'")
        + "&$select=Id,Name,Id&$orderby=ModifiedOn desc,City/Name"
        "&%24top=5&$skip=2&$count=true&$expand="
        + quote("City($select=Name;$expand=Region($filter=Name eq 'x;)')),Owner")
        + "&$skiptoken=abc&company=1&$apply=x"
    )  # fmt: skip
    assert query.filter_text == "Name eq 'A&B,C'"
    assert query.select == ("Id", "Name")
    assert query.order == (OrderItem(("ModifiedOn",), True), OrderItem(("City", "Name")))
    assert (query.top, query.skip, query.count, query.skiptoken) == (5, 2, True, "abc")
    assert [item.name for item in query.expand] == ["City", "Owner"]
    city = query.expand[0].query
    assert city.select == ("Name",)
    assert city.expand[0].query.filter_text == "Name eq 'x;)'"
    assert (query.custom, query.other) == ({"company": "1"}, {"$apply": "x"})
    assert parse_query("").where is None
    assert parse_query("$select=*").select is None


@pytest.mark.parametrize(
    "raw",
    [
        "$top=-1", "$top=x", "$top=1.5", "$skip=", "$count=yes", "$select=Id,,Name", "$orderby=Name up",
        "$orderby=", "$filter=", "$top=1&$top=2", "$expand=City(Name)", "$expand=", "$top=٣",
    ],
)  # fmt: skip
def test_bad_options_are_named(raw: str) -> None:
    with pytest.raises(ODataQueryError) as caught:
        parse_query(raw)
    assert caught.value.kind == "option"
    assert caught.value.facts["name"] == raw.partition("=")[0]


def test_expand_depth() -> None:
    assert parse_query("$expand=A($expand=B)", max_expand_depth=2).expand
    with pytest.raises(ODataQueryError) as caught:
        parse_query("$expand=A($expand=B($expand=C))", max_expand_depth=2)
    assert (caught.value.kind, caught.value.facts) == ("depth", {"limit": 2})
    with pytest.raises(ODataQueryError) as caught:
        parse_query("$expand=A($select=B")
    assert caught.value.kind == "syntax"


@given(st.text(max_size=60))
def test_any_query_string_parses_or_is_refused(text: str) -> None:
    for raw in (text, "$filter=" + quote(text), "$expand=" + quote(text), "$orderby=" + quote(text)):
        with contextlib.suppress(ODataQueryError):  # anything else would fail the test
            assert parse_query(raw) == parse_query(raw)


def test_metadata() -> None:
    customer = EntityType(
        "customer",
        "customers",
        "id",
        properties(
            Property("id", "Edm.Guid", nullable=False),
            Property("number", max_length=20),
            Property("balance", "Edm.Decimal", precision=38, scale="Variable"),
            Property("kind", "customerKind"),
            Property("currencyId", "Edm.Guid"),
        ),
        navigations(
            Navigation("currency", "currency", column="currencyId", partner="customers"),
            Navigation("orders", "order", collection=True, remote_column="customerId", contains_target=True),
        ),
    )
    currency = EntityType("currency", "currencies", "id", properties(Property("id", "Edm.Guid", nullable=False)))
    order = EntityType("order", None, "id", properties(Property("id", "Edm.Guid", nullable=False)))
    model = Model(
        "Microsoft.NAV",
        {item.name: item for item in (customer, currency, order)},
        enums={"customerKind": EnumType("customerKind", ["Person", ("In_x0020_Review", 5)])},
        actions=[Action("post", "order")],
    )
    root = ET.fromstring(metadata_xml(model))  # noqa: S314 - made here
    edm = "{http://docs.oasis-open.org/odata/ns/edm}"
    found = root.find(f".//{edm}EntityType[@Name='customer']")
    assert found is not None
    assert found.find(f"{edm}Property[@Name='number']").attrib == {
        "Name": "number", "Type": "Edm.String", "MaxLength": "20",
    }  # fmt: skip
    assert found.find(f"{edm}Property[@Name='kind']").get("Type") == "Microsoft.NAV.customerKind"
    assert found.find(f"{edm}Property[@Name='id']").get("Nullable") == "false"
    link = found.find(f"{edm}NavigationProperty[@Name='currency']/{edm}ReferentialConstraint")
    assert link.attrib == {"Property": "currencyId", "ReferencedProperty": "id"}
    assert found.find(f"{edm}NavigationProperty[@Name='orders']").get("Type") == "Collection(Microsoft.NAV.order)"
    assert [m.get("Value") for m in root.iter(f"{edm}Member")] == ["0", "5"]
    assert root.find(f".//{edm}Action/{edm}Parameter").get("Type") == "Microsoft.NAV.order"
    sets = [item.get("Name") for item in root.iter(f"{edm}EntitySet")]
    assert sets == ["customers", "currencies"]
    document = loads(service_document(model, "https://host/api"))
    assert document["@odata.context"] == "https://host/api/$metadata"
    assert [item["name"] for item in document["value"]] == sets


@given(st.integers(-62135596800 * 10**9, 253402300799 * 10**9), st.integers(0, 9))
def test_instants_round_trip(ns: int, digits: int) -> None:
    text = instant_wire(ns, digits)
    unit = 10 ** (9 - digits)
    assert instant_ns(text) == ns // unit * unit
    assert normal_instant(text) == text
    assert instant_ns(instant_wire(ns, 9, trim=False)) == ns


@given(st.lists(st.integers(0, 4 * 10**9), min_size=2, max_size=6))
def test_instants_sort_as_text(values: list[int]) -> None:
    texts = [instant_wire(value, 7, trim=value % 2 == 0) for value in values]
    by_key = sorted(texts, key=instant_key)
    assert [instant_ns(text) for text in by_key] == sorted(instant_ns(text) for text in texts)


@pytest.mark.parametrize(
    "text", ["2024-01-01", "2024-01-01T00:00:00", "2024-02-30T00:00:00Z", "x", "2024-01-01T25:00:00Z"]
)
def test_no_instants(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several texts
        normal_instant(text)


def test_json_types() -> None:
    good = [("Edm.Int32", 5), ("Edm.Decimal", 1), ("Edm.Boolean", True), ("Edm.Date", "2024-02-29"), ("NS.Enum", "A")]
    bad = [
        ("Edm.Int32", 2**31), ("Edm.Int32", True), ("Edm.Int32", "5"), ("Edm.Decimal", "1"), ("Edm.Boolean", 1),
        ("Edm.Date", "2023-02-29"), ("Edm.Guid", "x"), ("Edm.DateTimeOffset", "2024-01-01T00:00:00"),
        ("Edm.String", 1), ("Edm.TimeOfDay", "25:00:00"), ("Edm.Duration", "P"),
    ]  # fmt: skip
    assert all(matches_type(edm, value) for edm, value in good)
    assert not any(matches_type(edm, value) for edm, value in bad)
