from __future__ import annotations

from decimal import Decimal

import pytest

from weft.mapping.matching import match_value
from weft.model.values import Ref
from weft.records import Condition, Record


@pytest.mark.parametrize(
    ("name", "value", "matched"),
    [
        ("name", "  Müller  GmbH\t", "müller gmbh"),
        ("name", "STRASSE", "strasse"),
        ("name", "Straße", "strasse"),
        ("name", "Ｆｕｌｌ", "full"),
        ("phone", "+1 (425) 555-0100", "14255550100"),
        ("phone", "001 425 555 0100", "14255550100"),
        ("mobile", "12-3", "123"),
        ("phone_note", "Ask Ann", "ask ann"),
        ("amount", Decimal("10.00"), "10"),
        ("amount", Decimal("0.00"), "0"),
        ("flag", True, "true"),
        ("ref", Ref("A", "1"), "A(1)"),
        ("name", None, ""),
    ],
)
def test_match_value(name, value, matched):
    assert match_value(name, value) == matched


def test_match_values(build, canonical):
    compiled = build("match: [[tax_id], [name, address.postal_code], [phone]]\nfields: {Name: name}")
    given = canonical(name="Contoso  AG", address__postal_code="98052", tax_id=None, phone="()")
    assert compiled.match_values(given) == (None, ("contoso ag", "98052"), None)
    assert compiled.match_values(given, [["name"]]) == (("contoso ag",),)


def test_search(build, canonical, tables):
    compiled = build("""
match: [[name, address.country], [email], [phone], [notes], [type, currency], [number]]
parts: {mail: {object: Mail, join: {Owner: Id}}}
fields:
  Name: {from: name, max: 10}
  Country: {ref: country, from: address.country, values: {GB: UK}}
  mail.Address: email
  Phone: phone
  Notes: {from: notes, in: Other}
  Type: {from: type, values: {customer: K}}
  Cur: {ref: currency, by: id}
""")
    given = canonical(
        name="x",
        address__country="GB",
        email="a",
        phone="1",
        notes="n",
        type="customer",
        currency="USD",
        number="7",
    )
    country = Condition("Country", "eq", "UK")
    assert compiled.search(0, given) == [(Condition("Name", "eq", name), country) for name in ("x", "X")]
    assert compiled.search(4, given, tables) == [(Condition("Type", "eq", "K"), Condition("Cur", "eq", "cur-2"))]
    for index in (1, 2, 3, 5):
        assert compiled.search(index, given, tables) == []
    assert compiled.search(4, given) == []
    assert compiled.search(["name"], canonical(name=None)) == []
    assert compiled.search(["name"], canonical(name="longer than ten")) == []
    assert [one.value for [one, _] in compiled.search(0, canonical(name="Ab 1", address__country="GB"))] == [
        "Ab 1",
        "AB 1",
        "ab 1",
    ]


FIELDS = """
parts: {mail: {object: Mail, join: {Owner: Id}}}
locked: Posted
fields: {Name: name, mail.Address: email, Land/Code: custom.land, W: {from: notes, on: write}}
"""


def test_fingerprint_covers_what_is_read(build, record):
    compiled = build(FIELDS)
    data = {"Id": "1", "Name": "x", "Posted": False, "Land": {"Code": "US"}, "W": 1, "Other": 1}
    mail = {"mail": [Record("Mail", "m", {"Address": "a", "Owner": "1"})]}

    def print_(children=mail, **changes):
        return compiled.fingerprint(record({**data, **changes}, children=children))

    assert len(print_()) == 32
    assert print_(Id="2", W=2, Other=2) == print_()
    different = [
        print_(),
        print_(Name="y"),
        print_(Name=None),
        print_(Posted=True),
        print_(Land={"Code": "DE"}),
        print_(Land=None),
        print_(children={}),
        print_(children={"mail": []}),
        print_(children={"mail": [Record("Mail", "m", {"Address": "b"})]}),
        compiled.fingerprint(record({"Posted": False, "Land": {"Code": "US"}}, children=mail)),
        build(FIELDS + "match: [[name]]").fingerprint(record(data, children=mail)),
    ]
    assert len(set(different)) == len(different)


def test_fingerprint_of_unusual_values(build, record):
    compiled = build("fields: {Name: name}")
    values = [2**70, -(2**70), "\ud800", b"x", "x", Decimal(1), 1, True, None, "None", {"a": 1}, [1]]
    assert len({compiled.fingerprint(record({"Name": value})) for value in values}) == len(values)


def test_fingerprint_of_lines_does_not_depend_on_their_order(build):
    compiled = build(
        "entity: sales_order\nobject: O\nkey: [Id]\nfields: {No: number}\n"
        "lines: {lines: {object: L, parent: P, key: Id, fields: {T: description}}}"
    )
    rows = [Record("L", key, {"T": key}) for key in "abc"]
    one = compiled.fingerprint(Record("O", "1", {}, children={"lines": rows}))
    assert compiled.fingerprint(Record("O", "1", {}, children={"lines": rows[::-1]})) == one
    assert compiled.fingerprint(Record("O", "1", {}, children={"lines": rows[:2]})) != one
