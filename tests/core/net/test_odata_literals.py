from __future__ import annotations

import datetime as dt
import re
import uuid
from decimal import Decimal
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from weft.net.odata.literals import (
    EnumMember,
    Moment,
    in_path,
    in_query,
    key_segment,
    literal,
    property_path,
    quoted,
    resource,
    wire,
)
from weft.net.odata.query import Query, and_, contains, eq

ROOT = "https://erp.example/data"
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40) | st.text(
    st.sampled_from("'\"%&#?/\\+;=()$, \t\r\nü漢"), max_size=20
)


def on_the_wire(url: str) -> str:
    """What httpx and aiohttp make of a URL before it is sent."""
    return str(URL(str(httpx.URL(url)), encoded=True))


@given(texts, texts)
def test_no_text_breaks_out_of_a_filter(first, second):
    query = Query(filter=and_(eq("Name", first), contains("City", second)), top=5)
    sent = on_the_wire(f"{ROOT}/Customers?{query.text()}")
    parts = urlsplit(sent)
    assert parts.path == "/data/Customers"
    assert parts.fragment == ""
    options = parse_qsl(parts.query, strict_parsing=True, keep_blank_values=True)
    assert [name for name, _ in options] == ["$filter", "$top"]
    read = re.fullmatch(r"Name eq '((?:[^']|'')*)' and contains\(City,'((?:[^']|'')*)'\)", options[0][1], re.DOTALL)
    assert read is not None
    assert [part.replace("''", "'") for part in read.groups()] == [first, second]


@given(texts, texts)
def test_no_text_breaks_out_of_a_key(company, account):
    key = {"dataAreaId": company, "CustomerAccount": account}
    sent = on_the_wire(f"{ROOT}/Customers{key_segment(key)}/Lines")
    parts = urlsplit(sent)
    assert (parts.query, parts.fragment) == ("", "")
    raw = parts.path.split("/")
    assert len(raw) == 4
    read = re.fullmatch(
        r"Customers\(dataAreaId='((?:[^']|'')*)',CustomerAccount='((?:[^']|'')*)'\)",
        unquote(raw[2]),
        re.DOTALL,
    )
    assert read is not None
    assert [part.replace("''", "'") for part in read.groups()] == [company, account]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_decimals_are_plain_and_exact(value):
    text = literal(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?", text)
    assert Decimal(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
        ("O'Neil", "'O''Neil'"),
        (uuid.UUID("5d115c9c-44e3-ea11-bb43-000d3a2feca1"), "5d115c9c-44e3-ea11-bb43-000d3a2feca1"),
        (dt.date(2024, 1, 31), "2024-01-31"),
        (dt.datetime(2024, 1, 31, 9, tzinfo=dt.timezone(dt.timedelta(hours=1))), "2024-01-31T08:00:00Z"),
        (
            EnumMember("Invoiced", "Microsoft.Dynamics.DataEntities.SalesStatus"),
            "Microsoft.Dynamics.DataEntities.SalesStatus'Invoiced'",
        ),
        (EnumMember("In_x0020_Review"), "'In_x0020_Review'"),
        (Moment("2024-01-31T08:15:30.1234567Z"), "2024-01-31T08:15:30.1234567Z"),
    ],
)
def test_forms(value, text):
    assert literal(value) == text


@pytest.mark.parametrize("value", [1.5, b"x", object(), [1]])
def test_types_without_a_literal(value):
    with pytest.raises(TypeError):
        literal(value)


@pytest.mark.parametrize(
    "value",
    ["a\x00b", "\x1b", "\x7f", "\ud800", Decimal("NaN"), Decimal("-Infinity"), dt.datetime(2024, 1, 1)],
)
def test_values_without_a_literal(value):
    with pytest.raises(ValueError):  # noqa: PT011 - several texts
        literal(value)


@pytest.mark.parametrize("text", ["2024-01-31", "2024-01-31T08:00:00", "2024-01-31T08:00:00Z or 1 eq 1", "x\n"])
def test_moments_are_checked(text):
    with pytest.raises(ValueError, match=r"not an Edm\.DateTimeOffset"):
        Moment(text)


def test_keys():
    ident = uuid.UUID(int=1)
    assert key_segment(ident) == "(00000000-0000-0000-0000-000000000001)"
    assert key_segment("A/B'C") == "('A%2FB%27%27C')"
    assert key_segment({"LineNumber": 1, "StartDate": Moment("2019-01-13T12:00:00Z")}) == (
        "(LineNumber=1,StartDate=2019-01-13T12:00:00Z)"
    )
    assert in_path(EnumMember("Cust", "Ns.Type")) == "Ns.Type'Cust'"
    for bad in (None, {}, {"a": None}, {"a b": 1}):
        with pytest.raises(ValueError, match=r"key|name"):
            key_segment(bad)


@pytest.mark.parametrize("bad", ["", "a b", "a'b", "a)or(b", "1a", "a/", "a//b", "a?b", "x\n", "a&b"])
def test_names_are_checked(bad):
    with pytest.raises(ValueError, match="not an OData name"):
        property_path(bad)


def test_resources():
    assert resource(("companies", uuid.UUID(int=1)), "customers") == (
        "companies(00000000-0000-0000-0000-000000000001)/customers"
    )
    assert in_query("a b&c+d=e#f%") == "a%20b%26c%2Bd%3De%23f%25"
    assert quoted("") == "''"


@pytest.mark.parametrize(
    ("edm", "value", "text"),
    [
        ("Edm.Guid", "5D115C9C-44E3-EA11-BB43-000D3A2FECA1", "5d115c9c-44e3-ea11-bb43-000d3a2feca1"),
        ("Edm.DateTimeOffset", "2024-01-31T08:15:30.1234567Z", "2024-01-31T08:15:30.1234567Z"),
        ("Edm.Date", "2024-01-31", "2024-01-31"),
        ("Edm.Decimal", Decimal("1.10"), "1.10"),
        ("Edm.String", "2024-01-31", "'2024-01-31'"),
        ("Edm.Boolean", False, "false"),
        ("Edm.String", None, "null"),
    ],
)
def test_wire_values_become_literals_of_their_type(edm, value, text):
    assert literal(wire(edm, value)) == text


@pytest.mark.parametrize(("edm", "value"), [("Edm.Guid", "x"), ("Edm.Date", "x"), ("Edm.String", {"a": 1})])
def test_wire_values_that_do_not_fit(edm, value):
    with pytest.raises(ValueError):  # noqa: PT011 - several texts
        wire(edm, value)
