from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from weft.mapping.expression import ExpressionError
from weft.mapping.rules import compile_rule
from weft.model.values import Ref
from weft.records import Canonical

FIELDS = {
    "type": "customer",
    "amount": Decimal("10000.01"),
    "exact": Decimal("0.1"),
    "huge": Decimal("12345678901234567890.01"),
    "count": 3,
    "zero": 0,
    "blocked": False,
    "active": True,
    "email": None,
    "number": "100",
    "date": date(2024, 1, 31),
    "at": datetime(2024, 1, 31, 8, tzinfo=UTC),
    "customer": Ref("Account", "a-1"),
    "address.country": "US",
    "address.city": None,
}


@pytest.fixture
def order():
    line = Canonical("line", "", "l", {"amount": Decimal("2.5")})
    return Canonical("order", "Orders", "o", dict(FIELDS), "usmf", "account", lines={"lines": [line, line]})


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("type = 'customer'", True),
        ('type = "customer"', True),
        ("type != 'customer'", False),
        ("amount > 10000", True),
        ("amount >= 10000.01", True),
        ("amount < 10000.01", False),
        ("10000 < amount", True),
        ("exact = 0.1", True),
        ("exact = 0.10", True),
        ("huge > 12345678901234567890", True),
        ("huge > 12345678901234567890.01", False),
        ("amount > -5", True),
        ("address.country in ['US', 'CA']", True),
        ("address.country in ['DE']", False),
        ("address.country in []", False),
        ("count in [1, 2, 3]", True),
        ("not blocked", True),
        ("not (active and blocked)", True),
        ("not(active)", False),
        ("active or blocked and zero", True),
        ("(active or blocked) and zero", False),
        ("zero", False),
        ("number", True),
        ("email", False),
        ("email = null", True),
        ("email != null", False),
        ("email = ''", True),
        ("missing.field = null", True),
        ("email != 'x'", True),
        ("email > 'x'", False),
        ("email in ['x']", False),
        ("date >= '2024-01-31'", True),
        ("date < '2024-01-31'", False),
        ("at > '2024-01-31T07:59:59Z'", True),
        ("at > date", True),
        ("customer = 'a-1'", True),
        ("company = 'usmf' and variant = 'account' and object = 'Orders'", True),
        ("active = true and blocked = false", True),
        ("true", True),
        ("$count(lines) = 2", True),
        ("$sum(lines.amount) > 4", True),
        ("$contains(type, 'cust')", True),
        ("$uppercase(address.country) = 'US'", True),
        ("address.city = ''", True),
        ("$blank(address.city)", True),
        ("(lines.amount)[0] = 2.5", True),
    ],
)
def test_rules(order, text, holds):
    assert compile_rule(text, at="weft.yaml:3:9")(order) is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("number > 5", "the number 5 cannot be compared with the text '100'|the text '100' cannot be"),
        ("number = 100", "cannot be compared"),
        ("active > true", "cannot be ordered"),
        ("date > 'soon'", "YYYY-MM-DD"),
        ("at > 'soon'", "YYYY-MM-DDThh:mm:ssZ"),
        ("active = 'yes'", "cannot be compared"),
        ("$number(type) > 1", "weft.yaml:3:9"),
    ],
)
def test_what_cannot_be_decided_is_an_error(order, text, message):
    rule = compile_rule(text, at="weft.yaml:3:9")
    with pytest.raises(ExpressionError, match=message) as caught:
        rule(order)
    assert str(caught.value).startswith("weft.yaml:3:9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tpye = 'x'", "no field 'tpye', did you mean 'type'"),
        ("$uppercase(tpye) = 'X'", "no field 'tpye', did you mean 'type'"),
        ("", "empty"),
        ("type =", "S0207"),
        ("type = 'x' and", "weft.yaml:3:9"),
        ("$f(type)", "no function"),
    ],
)
def test_what_cannot_be_compiled(text, message):
    with pytest.raises(ExpressionError, match=message):
        compile_rule(text, at="weft.yaml:3:9", fields=FIELDS)
    compile_rule("custom.x = 'a' and company = 'c'", fields=FIELDS)


def test_long_and_deep_rules_end():
    record = Canonical("order", "", "", {"a": 1})
    assert compile_rule(" or ".join(["a = 2"] * 100))(record) is False
    with pytest.raises(ExpressionError):
        compile_rule("(" * 2500 + "a = 1" + ")" * 2500)


def test_accepts_and_follow_of_a_mapping(build, canonical):
    compiled = build("accepts: \"type = 'customer'\"\nfollow: credit_limit > 0\nfields: {Name: name}")
    assert compiled.accepts(canonical(type="customer"))
    assert not compiled.accepts(canonical(type="prospect"))
    assert compiled.follow(canonical(credit_limit=Decimal("0.01")))
    plain = build("fields: {Name: name}")
    assert (plain.accepts, plain.follow) == (None, None)
