from __future__ import annotations

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.mapping.exact import leave
from weft.mapping.expression import Expression, ExpressionError
from weft.mapping.shortcut import shortcut
from weft.model.values import Ref


@pytest.mark.parametrize(
    ("source", "value", "result"),
    [
        ("a", {"a": Decimal("1.50")}, Decimal("1.5")),
        ("a", {"a": 5637144576123456789}, "5637144576123456789"),
        ("a", {"a": Decimal("12345678901234567.89")}, "12345678901234567.89"),
        ("a", {"a": Decimal("1E+20")}, "100000000000000000000"),
        ("a", {"a": 999999999999999}, 999999999999999),
        ("a", {"a": Decimal("0.000000000000001")}, Decimal("0.000000000000001")),
        ("a", {"a": date(2024, 1, 2)}, "2024-01-02"),
        ("a", {"a": datetime(2024, 1, 2, 3, tzinfo=UTC)}, "2024-01-02T03:00:00Z"),
        ("a", {"a": UUID(int=1)}, "00000000-0000-0000-0000-000000000001"),
        ("a.key", {"a": Ref("X", "k")}, "k"),
        ("a", {"a": None}, ""),
        ("a & b & 'x'", {"a": None}, "x"),
        ("a != 'x'", {}, True),
        ("a.b != 'x'", {}, True),
        ("a ? 1 : 2", {"a": None}, 2),
        ("$blank(a)", {}, True),
        ("$blank(a)", {"a": "1900-01-01T00:00:00Z"}, True),
        ("$blank(a)", {"a": 0}, False),
        ("$plus(a, 0.2)", {"a": Decimal("0.1")}, Decimal("0.3")),
        ("$plus(l.a)", {"l": [{"a": Decimal("0.1")}, {"a": Decimal("0.2")}]}, Decimal("0.3")),
        ("$minus(a, 0.1)", {"a": Decimal("0.3")}, Decimal("0.2")),
        ("$times(a, 1.19)", {"a": Decimal("10.05")}, Decimal("11.9595")),
        ("$divide(a, 3, 4)", {"a": 10}, Decimal("3.3333")),
        ("$money(a)", {"a": Decimal("1.005")}, Decimal("1.01")),
        ("$count(lines)", {}, 0),
        ("$map(l, function($v){ $v.a & '!' })", {"l": [{"a": "x"}, {"a": "y"}]}, ["x!", "y!"]),
        ("$filter(l, function($v){ $v.a = 1 }).b", {"l": [{"a": 1, "b": 2}, {"a": 3}]}, 2),
        ("$lookup({'a': 'b'}, x)", {"x": "a"}, "b"),
        ("a in ['x', 'y']", {"a": "y"}, True),
        ("[1..3]", {}, [1, 2, 3]),
        ("$replace(a, /[^0-9]/, '')", {"a": "+1 (23)"}, "123"),
        ("($x := a; $x * 2)", {"a": 2}, 4),
        ("`No.`", {"No.": "7"}, "7"),
        ("a / b", {"a": 1, "b": 2}, Decimal("0.5")),
        ("nothing ~> $length", {"nothing": "abc"}, 3),
        ("false ? 1", {}, None),
    ],
)
def test_results(source, value, result):
    found = Expression(source, lists=["lines"]).evaluate(value)
    assert found == result
    assert type(found) is type(result)


def test_binary_noise_is_refused():
    with pytest.raises(ExpressionError, match=r"f:1:1: .*0\.30000000000000004.*\$plus"):
        Expression("0.1 + 0.2", "f:1:1").evaluate({})


def test_large_numbers_are_refused():
    with pytest.raises(ExpressionError, match="more than 15 digits"):
        Expression("a * 10", "f:1:1").evaluate({"a": 999999999999999})
    with pytest.raises(ExpressionError, match="must evaluate to a number"):
        Expression("a * 1").evaluate({"a": 5637144576123456789})


@pytest.mark.parametrize("value", [float("inf"), float("nan"), object()])
def test_what_is_no_value_does_not_leave(value):
    with pytest.raises(ValueError, match="the result"):
        leave(value)


@pytest.mark.parametrize(
    ("source", "character", "text"),
    [
        ("a +", 3, "Unexpected end"),
        ("$f(1)", 1, "there is no function $f"),
        ("a = null", 5, "$blank"),
        ("($f := function($n){ $f($n) }; $f(0))", 8, "argument of"),
        ("λ($n){ 1 }", 1, "argument of"),
        ("($f := $sum; 1)", 8, "is a function"),
        ("($sum := 1)", 2, "cannot be assigned"),
        ("$reduce(a, $sum)", 1, "$reduce is not allowed"),
        ("$eval('1')", 1, "$eval is not allowed"),
        ("$now()", 1, "same result"),
        ("$exists(a)", 1, "$blank"),
        ("[1..a]", 3, "range"),
        ("[1..2000]", 3, "range"),
        ("a ~> |x|{'y': 1}|", 3, "built-in"),
        ("|x|{'y': 1}|", 1, "transforms"),
        ("a ~> $f", 3, "built-in"),
        ("(a)(1)", 4, "built-in"),
        ("sum(a)", 1, "$sum"),
        ("a@$x.b", 2, "not allowed"),
        ("a ? '", 5, "not understood"),
        ("x" * 5000, 4001, "longer than"),
        (".".join(["{'a':[$,$,$,$,$,$,$,$,$,$]}"] * 8), None, "built from one another"),
    ],
)
def test_what_is_refused_names_its_place(source, character, text):
    with pytest.raises(ExpressionError) as caught:
        Expression.compile(source, "weft.yaml:7:3")
    assert str(caught.value).startswith("weft.yaml:7:3: ")
    assert text in str(caught.value)
    if character is not None:
        assert caught.value.offset == character - 1


@pytest.mark.parametrize(
    "source",
    [
        "$match(a, /(a+)+$/)",
        "$contains(a, /^(a|aa)+$/)",
        "$replace(a, /(?:)/, 'x')",
        "$length($pad('x', 2000000000))",
        "$count($split($pad('', 5000000, 'a,'), ','))",
        "$formatNumber(1, $pad('', 1000000, '0'))",
        "$fromMillis(0, $pad('', 1000000, '[Y]'))",
        "$fromMillis(1e18)",
        "$power(10, 400)",
        "[1..999].([1..999].([1..999].1))",
        "$map([1..999], function($a){ $map([1..999], function($b){ $sum([1..999]) }) })",
        "$sort([1..999], function($l, $r){ $sum([1..999].($ * 2)) > 0 })",
        "(" * 1500 + "1" + ")" * 1500,
        "-" * 3000 + "1",
        "+".join(["1"] * 1900),
    ],
)
def test_what_could_run_away_ends_soon(source):
    started = time.monotonic()
    with pytest.raises(ExpressionError):
        Expression(source).evaluate({"a": "a" * 60 + "!"})
    assert time.monotonic() - started < 5


def test_deep_input_is_an_error():
    deep = "x"
    for _ in range(900):
        deep = {"a": deep}
    try:
        found = Expression("$string(a)").evaluate({"a": deep})
    except (ExpressionError, RecursionError):
        return
    assert found.count("{") == 900


def test_only_what_is_read_is_looked_at():
    assert Expression("a.b").evaluate({"a": {"b": 1, "c": object()}, "d": object()}) == 1


def test_values_without_a_meaning_are_told():
    with pytest.raises(ExpressionError, match="a object cannot be used"):
        Expression("a").evaluate({"a": object()})


def test_reads():
    assert Expression("a.b & c").reads == {"a": {"b": True}, "c": True}
    assert Expression("$keys($)").reads is None


def test_truth():
    assert Expression("a").truth({"a": [0, 1]})
    assert not Expression("a").truth({"a": [0, 0]})
    assert not Expression("a").truth({})


@pytest.mark.parametrize(
    "source",
    [
        "'organization'",
        "a != 'All'",
        "$trim($substringBefore(a, '\n'))",
        "$contains(a, '\n') ? $trim($substringAfter(a, '\n')) : ''",
        "a & (b != '' ? '\n' & b : '')",
        "$trim(a) = b ? 'same' : $substringAfter(a & b, ', ')",
        'a ? b : "x"',
    ],
)
@given(st.lists(st.text(alphabet="aA, \n\t\r\u00a0é", max_size=12), min_size=2, max_size=2))
def test_shortcuts_give_what_the_engine_gives(source, texts):
    expression = Expression(source)
    quick = shortcut(source, expression.texts)
    assert quick is not None
    used = texts[: len(expression.texts)]
    assert quick(used) == expression._evaluate(dict(zip(expression.texts, used, strict=True)))


@pytest.mark.parametrize(
    "source",
    ["a.b", "$uppercase(a)", "a & 1", "a = true", "$trim(a, 'x')", "$contains(a, b)", "a ? a = b : b", "(a; b)"],
)
def test_what_a_shortcut_does_not_know_is_left_to_the_engine(source):
    assert shortcut(source, ["a", "b"]) is None
