from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.net import json

finite = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e30"), max_value=Decimal("1e30"))


def test_fractions_are_decimals_digit_for_digit():
    text = b'{"a": 1.10, "b": 12345678901234567890.123456789, "c": 1e400, "d": 42, "e": 99999999999999999999}'
    parsed = json.loads(text)
    assert {k: str(v) for k, v in parsed.items()} == {
        "a": "1.10",
        "b": "12345678901234567890.123456789",
        "c": "1E+400",
        "d": "42",
        "e": "99999999999999999999",
    }
    assert type(parsed["d"]) is int


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{", "", b"\xff\xfe", "[1] x", "[" * 100_000])
def test_what_is_not_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - only the class is promised
        json.loads(text)


def test_an_unpaired_surrogate_does_not_spoil_a_page():
    assert json.loads(b'{"a": "\\ud800", "b": 1.10}') == {"a": "\ud800", "b": Decimal("1.10")}


@given(finite)
def test_amounts_survive_the_round_trip(amount):
    again = json.loads(json.dumps({"amount": amount}))["amount"]
    assert Decimal(again) == amount
    assert not isinstance(again, float)


@given(st.integers(min_value=-(10**15), max_value=10**15), st.integers(min_value=1, max_value=8))
def test_the_scale_survives_too(digits, scale):
    amount = Decimal(digits).scaleb(-scale)
    assert format(json.loads(json.dumps([amount]))[0], "f") == format(amount, "f")


def test_forms_of_values():
    noon = dt.datetime(2024, 1, 31, 14, 15, 30, 123000, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    value = {"t": noon, "d": dt.date(2024, 1, 31), "u": uuid.UUID(int=5), "n": None, "e": Decimal("1E+2")}
    assert json.dumps(value) == (
        b'{"t":"2024-01-31T12:15:30.123000Z","d":"2024-01-31",'
        b'"u":"00000000-0000-0000-0000-000000000005","n":null,"e":100}'
    )


@pytest.mark.parametrize(
    "value",
    [
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("sNaN"),
        float("nan"),
        [{"a": float("inf")}],
        dt.datetime(2024, 1, 1),
    ],
)
def test_what_has_no_exact_form_is_refused(value):
    with pytest.raises(ValueError, match=r"not a JSON number|no time zone"):
        json.dumps({"x": value})


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_types_without_a_form_are_refused(value):
    with pytest.raises(TypeError, match="has no JSON form"):
        json.dumps({"x": value})


def test_a_null_beside_floats_is_fine():
    assert json.dumps({"a": None, "b": 1.5, "c": "null"}) == b'{"a":null,"b":1.5,"c":"null"}'
