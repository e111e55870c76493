from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from weft.mapping.comparison import Comparator
from weft.model.currencies import Currencies
from weft.model.values import ABSENT, Ref

D = Decimal
AT = datetime(2024, 1, 31, 8, 15, 30, 123456, UTC)


@pytest.mark.parametrize(
    ("left", "right", "field", "a", "b", "same"),
    [
        ("A: name", "B: name", "name", "x", "x", True),
        ("A: name", "B: name", "name", "x", "X", False),
        ("A: {from: name, compare: casefold}", "B: name", "name", "x", "X ", True),
        ("A: name", "B: {from: name, compare: trim}", "name", " x ", "x", True),
        ("A: name", "B: {from: name, compare: trim}", "name", "X", "x", False),
        ("A: name", "B: {from: name, max: 5, cut: true}", "name", "abcdefgh", "abcde", True),
        ("A: name", "B: {from: name, max: 5, cut: true}", "name", "abcd efgh", "abcd", True),
        ("A: name", "B: {from: name, max: 5}", "name", "abcdefgh", "abcde", False),
        ("A: {from: phone, compare: digits}", "B: phone", "phone", "+1 (23)", "123", True),
        ("A: credit_limit", "B: credit_limit", "credit_limit", D("1.0"), D("1.00"), True),
        ("A: credit_limit", "B: {from: credit_limit, digits: 2}", "credit_limit", D("1.005"), D("1.01"), True),
        ("A: {from: credit_limit, digits: 4}", "B: {from: credit_limit, digits: 2}", "credit_limit",
         D("1.0049"), D("1.00"), True),
        ("A: {from: credit_limit, digits: 4}", "B: credit_limit", "credit_limit", D("1.0049"), D("1.00"), False),
        ("A: {from: credit_limit, compare: money}", "B: credit_limit", "credit_limit", D("1.001"), D(1), True),
        ("A: {from: credit_limit, digits: currency}", "B: credit_limit", "credit_limit", D("1.01"), D(1), False),
        ("A: credit_limit", "B: credit_limit", "credit_limit", D(0), None, False),
        ("A: credit_limit", "B: {from: credit_limit, blank: [0]}", "credit_limit", D("0.00"), None, True),
        ("A: {from: blocked, blank: [0]}", "B: blocked", "blocked", False, None, False),
        ("A: name", "B: name", "name", "", None, True),
        ("A: modified", "B: {from: modified, compare: minute}", "modified", AT, AT.replace(second=0), True),
        ("A: modified", "B: {from: modified, compare: second}", "modified", AT, AT.replace(microsecond=0), True),
        ("A: modified", "B: {from: modified, compare: second}", "modified", AT, AT.replace(second=0), False),
        ("A: modified", "B: {from: modified, compare: date}", "modified", AT, AT.replace(hour=1), True),
        ("A: modified", "B: modified", "modified", AT, AT.astimezone(timezone(timedelta(hours=5))), True),
        ("A: {from: notes, compare: unordered}", "B: notes", "notes", "b, a", "a;b", True),
        ("A: {from: custom.t, compare: unordered}", "B: custom.t", "custom.t", ["b", "a"], ["a", "b"], True),
        ("A: {ref: customer, from: parent}", "B: {ref: customer, from: parent}", "parent",
         Ref("A", "1"), Ref("A", "1"), True),
        ("A: {ref: customer, from: parent}", "B: {ref: customer, from: parent}", "parent",
         Ref("A", "1"), Ref("B", "1"), False),
        ("A: name", "B: name", "name", ABSENT, None, False),
        ("A: name", "B: name", "name", ABSENT, ABSENT, True),
        ("A: name", "B: name", "custom.unmapped", 1, D("1.0"), True),
        ("A: custom.f", "B: custom.f", "custom.f", True, 1, False),
    ],
)  # fmt: skip
def test_same(build, left, right, field, a, b, same):
    first, second = build(f"fields: {{{left}}}"), build(f"fields: {{{right}}}")
    comparator = Comparator(first.entity, first, second)
    assert comparator.same(field, a, b) is same
    assert comparator.same(field, b, a) is same
    assert Comparator(first.entity, second, first).same(field, a, b) is same
    if same and a is not ABSENT:
        assert comparator.normal(field, a) == comparator.normal(field, b)
    assert comparator.normal(field, comparator.normal(field, a)) == comparator.normal(field, a)


def test_lines(build):
    text = (
        "entity: sales_order\nobject: O\nkey: [Id]\nfields: {No: number}\n"
        "lines: {lines: {object: L, parent: P, key: Id, fields: {T: {from: description, compare: casefold}}}}"
    )
    order = build(text)
    assert Comparator(order.entity, order, order, collection="lines").same("description", "a", "A")
    assert not Comparator(order.entity, order, order).same("description", "a", "A")


def test_one_side_only(build):
    one = build("fields: {A: {from: name, compare: casefold}}")
    assert Comparator(one.entity, one, None).same("name", "a", "A")
    assert not Comparator(one.entity, None, None).same("name", "a", "A")


@pytest.mark.parametrize(
    ("left", "right", "currency", "a", "b", "same"),
    [
        ("compare: money", "compare: money", None, "1.234", "1.23", True),
        ("compare: money", "compare: money", "USD", "1.234", "1.23", True),
        ("compare: money", "compare: money", "KWD", "1.234", "1.23", False),
        ("compare: money", "compare: money", "KWD", "1.2344", "1.234", True),
        ("compare: money", "digits: 2", "KWD", "1.234", "1.23", True),
        ("compare: money", "compare: money", "JPY", "0.45", "0.4", False),
        ("digits: currency", "digits: currency", "JPY", "100.4", "100", True),
        ("digits: currency", "compare: money", "HUF", "100.4", "100", True),
        ("digits: currency", "digits: currency", None, "1.2344", "1.2341", False),
    ],
)
def test_amounts_are_compared_by_their_currency(build, left, right, currency, a, b, same):
    """A price may have more places than an amount: yen are told apart to two when compared as money."""
    own = Currencies({"HUF": 0})
    sides = [build(f"fields: {{A: {{from: credit_limit, {how}}}}}", currencies=own) for how in (left, right)]
    comparator = Comparator(sides[0].entity, *sides)
    assert comparator.in_currency(currency).same("credit_limit", Decimal(a), Decimal(b)) is same
    assert comparator.in_currency(currency) is comparator.in_currency(currency)
