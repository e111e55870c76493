"""Validation at the edges: names, types, closed values, no floats."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.model.catalogue import Catalogue
from weft.model.entity import EntityType, Field
from weft.model.validation import validate
from weft.model.values import Ref

CATALOGUE = Catalogue()
CUSTOMER = CATALOGUE.get("customer")
ORDER = CATALOGUE.get("sales_order")

GOOD: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False) | st.integers(),
    "money": st.decimals(allow_nan=False, allow_infinity=False),
    "integer": st.integers(),
    "boolean": st.booleans(),
    "date": st.dates(),
    "datetime": st.datetimes(timezones=st.just(UTC)),
}


def value_of(field: Field) -> st.SearchStrategy[Any]:
    if field.values:
        return st.none() | st.sampled_from(field.values)
    if field.entity:
        reference = CATALOGUE.is_reference(field.entity)
        return st.text(min_size=1) if reference else st.builds(Ref, st.text(), st.text())
    return st.none() | GOOD[field.kind]


@st.composite
def records(draw: st.DrawFn, entity: EntityType) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(list(entity.fields)), unique=True, max_size=8))
    return {name: draw(value_of(entity.fields[name])) for name in names}


@given(st.sampled_from(list(CATALOGUE)).flatmap(lambda e: st.tuples(st.just(e), records(e))))
def test_canonical_records_pass(drawn: tuple[EntityType, dict[str, Any]]) -> None:
    entity, fields = drawn
    assert validate(entity, fields, catalogue=CATALOGUE) == []


@given(
    st.sampled_from(list(CUSTOMER.fields)),
    st.floats() | st.lists(st.floats(), min_size=1) | st.dictionaries(st.text(), st.floats(), min_size=1),
)
def test_a_float_never_passes(name: str, value: Any) -> None:
    assert [p.field for p in validate(CUSTOMER, {name: value})] == [name]
    assert "float" in validate(CUSTOMER, {"custom.x": value})[0].message


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 5, "int '5', expected a text"),
        ("active", 1, "expected true or false"),
        ("active", "true", "expected true or false"),
        ("employees", True, "expected a whole number"),
        ("employees", Decimal(3), "expected a whole number"),
        ("credit_limit", "5", "expected a Decimal"),
        ("credit_limit", True, "expected a Decimal"),
        ("credit_limit", Decimal("NaN"), "NaN is no number"),
        ("credit_limit", Decimal("Infinity"), "Infinity is no number"),
        ("blocked", "Blocked", "'Blocked' is not one of none, ordering"),
        ("parent", "C1", "expected a reference to a customer"),
        ("currency", Ref("Currency", "1"), "expected the code of a currency"),
        ("currency", 840, "expected the code of a currency"),
        ("adress.city", "Graz", "did you mean 'address.city'"),
        ("zzzzzzzz", "x", "custom.<name>"),
    ],
)
def test_what_is_wrong_is_said(field: str, value: Any, message: str) -> None:
    problems = validate(CUSTOMER, {"name": "Adatum"} | {field: value}, catalogue=CATALOGUE)
    assert [p.field for p in problems] == [field]
    assert message in problems[0].message


@pytest.mark.parametrize(
    ("kind", "value", "ok"),
    [
        ("date", date(2024, 2, 29), True),
        ("date", datetime(2024, 2, 29, tzinfo=UTC), False),
        ("datetime", datetime(2024, 2, 29, tzinfo=UTC), True),
        ("datetime", datetime(2024, 2, 29), False),
        ("datetime", date(2024, 2, 29), False),
        ("ref", "code", True),
        ("ref", Ref("a", "b"), True),
        ("ref", 1, False),
        ("any", {"a": [1, "b", Decimal(1)]}, True),
        ("any", {"a": [1.0]}, False),
    ],
)
def test_kinds(kind: Any, value: Any, ok: bool) -> None:
    entity = EntityType("x", fields={"f": Field("f", kind, "y" if kind == "ref" else None)})
    assert (validate(entity, {"f": value}) == []) is ok


def test_problems_in_lines_name_the_line() -> None:
    problems = validate(
        ORDER,
        {"number": "1"},
        {"lines": [{"quantity": Decimal(1)}, {"quantity": "2", "quantty": 1}], "lnes": []},
    )
    assert [p.field for p in problems] == ["lines[1].quantity", "lines[1].quantty", "lnes"]
