from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from weft.mapping.tables import NoTables
from weft.model.values import Ref
from weft.records import Canonical, LineChange


def out(compiled, canonical, tables, op="update", **rest):
    mapped = compiled.write(canonical, op, tables, **rest)
    assert mapped.problems == []
    return mapped.native


def problem(compiled, canonical, tables, op="update", **rest):
    mapped = compiled.write(canonical, op, tables, **rest)
    assert mapped.native is None
    assert len(mapped.problems) == 1
    return mapped.problems[0]


def test_update_writes_what_is_given(build, canonical, tables):
    compiled = build("fields: {Name: name, Mail: email, Since: since, At: modified, Sum: credit_limit}")
    at = datetime(2024, 1, 2, 3, tzinfo=UTC)
    given = canonical(name="x", email=None, since=date(2024, 1, 2), modified=at, credit_limit=Decimal("1.10"))
    assert out(compiled, given, tables) == {
        "Name": "x",
        "Mail": None,
        "Since": date(2024, 1, 2),
        "At": at,
        "Sum": Decimal("1.10"),
    }


def test_create_leaves_empty_out_and_fills_defaults_constants_and_where(build, canonical, tables):
    compiled = build(
        "where: {Kind: C, Country/Code: US, Any: [1, 2]}\nfields: {Name: name, Mail: email,"
        " Group: {from: notes, default: '30'}, Fixed: {default: 5, on: create}, Api: {const: true}}"
    )
    assert out(compiled, canonical(name="x", email=None), tables, "create") == {
        "Name": "x",
        "Group": "30",
        "Fixed": 5,
        "Kind": "C",
        "Api": True,
    }
    assert out(compiled, canonical(name="x", notes=None), tables) == {"Name": "x", "Group": None, "Api": True}
    assert out(compiled, canonical(), tables) == {}


def test_on(build, canonical, tables):
    compiled = build(
        "fields: {A: {from: name, on: create}, B: {from: email, on: update}, C: {from: notes, on: read},"
        " D: {from: phone, on: write}}"
    )
    given = canonical(name="a", email="b", notes="c", phone="d")
    assert out(compiled, given, tables, "create") == {"A": "a", "D": "d"}
    assert out(compiled, given, tables) == {"B": "b", "D": "d"}
    assert compiled.readable == {"name", "email", "notes"}
    assert compiled.creatable == {"name", "phone"}
    assert compiled.updatable == {"email", "phone"}
    assert compiled.writable == {"name", "email", "phone"}


def test_required(build, canonical, tables):
    compiled = build("fields: {Name: {from: name, required: true}}")
    assert problem(compiled, canonical(name=None), tables, "create").code == "required"
    assert problem(compiled, canonical(), tables, "create").field == "name"
    assert out(compiled, canonical(), tables) == {}


def test_length(build, canonical, tables):
    compiled = build("fields: {A: {from: name, max: 5}, B: {from: notes, max: 5, cut: true}}")
    found = problem(compiled, canonical(name="sixsix"), tables)
    assert (found.field, found.code) == ("name", "too_long")
    assert "6 characters, 5 fit" in found.message
    assert out(compiled, canonical(name="fives", notes="abcd efgh"), tables) == {"A": "fives", "B": "abcd"}


@pytest.mark.parametrize("bad", ["a\x00", "a\x1f", "a\x0b", "a\ud800"])
def test_control_characters_are_refused(build, canonical, tables, bad):
    assert problem(build("fields: {A: name}"), canonical(name=bad), tables).code == "control_character"


def test_line_breaks_are_text(build, canonical, tables):
    assert out(build("fields: {A: name}"), canonical(name="a\r\n\tb"), tables) == {"A": "a\r\n\tb"}


@pytest.mark.parametrize(
    ("digits", "value", "written"),
    [
        ("2", "1.005", "1.01"),
        ("2", "-1.005", "-1.01"),
        ("0", "2.5", "3"),
        ("2", "1.5", "1.5"),
        ("5", "12345678901234567890123456789.123456", "12345678901234567890123456789.12346"),
    ],
)
def test_digits_round_half_away_from_zero(build, canonical, tables, digits, value, written):
    compiled = build(f"fields: {{A: {{from: credit_limit, digits: {digits}}}}}")
    assert str(out(compiled, canonical(credit_limit=Decimal(value)), tables)["A"]) == written


@pytest.mark.parametrize(("code", "written"), [("JPY", "11"), ("EUR", "10.56"), ("KWD", "10.556"), (None, "10.5555")])
def test_digits_of_the_currency(build, canonical, tables, code, written):
    compiled = build("fields: {A: {from: credit_limit, digits: currency}, C: {ref: currency, by: code}}")
    given = canonical(credit_limit=Decimal("10.5555"))
    assert out(compiled, given, tables, full={"currency": code})["A"] == Decimal(written)
    assert out(compiled, given, tables, native={"C": code})["A"] == Decimal(written)


def test_cast(build, canonical, tables):
    compiled = build("fields: {A: {from: number, cast: integer}, B: {from: credit_limit, cast: text}}")
    assert out(compiled, canonical(number="007", credit_limit=Decimal("1.10")), tables) == {
        "A": 7,
        "B": "1.10",
    }
    assert "whole number" in problem(compiled, canonical(number="x"), tables).message


def test_values(build, canonical, tables):
    compiled = build(
        "fields: {T: {from: type, values: {customer: [Kunde, Client], prospect: 2, '': None}},"
        " B: {from: blocked, values: {true: All, false: _x0020_}}}"
    )
    for value, native in [("customer", "Kunde"), ("prospect", 2), (None, "None")]:
        assert out(compiled, canonical(type=value), tables) == {"T": native}
    assert out(compiled, canonical(blocked=False), tables) == {"B": "_x0020_"}
    assert "'friend' is not mapped" in problem(compiled, canonical(type="friend"), tables).message


def test_references(build, canonical, tables):
    compiled = build(
        "fields: {Cur: {ref: currency, by: id}, Grp: {ref: customer_group, from: group, values: {A: '10'}},"
        " ParentId: {ref: customer, from: parent}}"
    )
    given = canonical(currency="USD", group="A", parent=Ref("Account", "p"))
    assert out(compiled, given, tables) == {"Cur": "cur-2", "Grp": "10", "ParentId": "p"}
    assert out(compiled, canonical(currency=None, group="77", parent=None), tables) == {
        "Cur": None,
        "Grp": "77",
        "ParentId": None,
    }
    found = problem(compiled, canonical(currency="CHF"), tables)
    assert (found.code, found.entity, found.key) == ("reference", "currency", "CHF")
    assert "not read" in problem(compiled, canonical(currency="CHF"), NoTables()).message
    assert "takes a Account" in problem(compiled, canonical(parent=Ref("Contact", "c")), tables).message
    assert problem(compiled, canonical(parent="text"), tables).field == "parent"


@pytest.mark.parametrize(
    ("missing", "by", "native"),
    [
        ("empty", "id", None),
        ("{default: EUR}", "id", "cur-1"),
        ("{default: X}", "code", "X"),
        ("empty", "code", None),
    ],
)
def test_missing_reference(build, canonical, tables, missing, by, native):
    compiled = build(f"fields: {{Cur: {{ref: currency, by: {by}, missing: {missing}}}}}")
    assert out(compiled, canonical(currency="CHF"), tables) == {"Cur": native}
    assert compiled.references() == {"currency"}


def test_missing_reference_to_be_created(build, canonical, tables):
    compiled = build("fields: {Cur: {ref: currency, by: id, missing: create}}")
    found = problem(compiled, canonical(currency="CHF"), tables)
    assert (found.code, found.entity, found.key) == ("create_reference", "currency", "CHF")


def test_reference_goes_to_the_field_of_its_object(build, canonical, tables):
    compiled = build(
        "fields: {AccountId: {ref: customer, from: parent, object: Account},"
        " ContactId: {ref: customer, from: parent, object: Contact}}"
    )
    assert out(compiled, canonical(parent=Ref("Contact", "c")), tables) == {
        "AccountId": None,
        "ContactId": "c",
    }
    assert out(compiled, canonical(parent=Ref("Contact", "c")), tables, "create") == {"ContactId": "c"}
    found = compiled.write(canonical(parent=Ref("Lead", "l")), "update", tables).problems
    assert {p.code for p in found} == {"reference"}


def test_reference_by_another_field(build, canonical, tables):
    compiled = build("fields: {ParentNo: {ref: customer, from: parent, by: Number}}")
    assert problem(compiled, canonical(parent=Ref("Account", "p")), tables).code == "reference"
    tables.value_by = lambda entity, field, key: f"{field} of {key}"
    assert out(compiled, canonical(parent=Ref("Account", "p")), tables) == {"ParentNo": "Number of p"}


def test_parts_are_nested(build, canonical, tables):
    compiled = build("parts: {mail: {object: Mail, join: {Owner: Id}}}\nfields: {mail.Address: email, Name: name}")
    assert out(compiled, canonical(email="a", name="b"), tables) == {"mail": {"Address": "a"}, "Name": "b"}
    assert out(compiled, canonical(name="b"), tables) == {"Name": "b"}


def test_out_expression_sees_the_whole_record_and_runs_when_it_must(build, canonical, tables):
    compiled = build(
        "fields: {X: {out: \"name & ', ' & address.city\"}, Y: {from: notes, in: Z, out: $uppercase(notes)}, N: name}"
    )
    assert compiled.updatable == {"name", "address.city", "notes"}
    full = {"name": "old", "address.city": "Atlanta", "notes": "n"}
    assert out(compiled, canonical(name="new"), tables, full=full) == {"X": "new, Atlanta", "N": "new"}
    assert out(compiled, canonical(notes=None), tables, full=full) == {"Y": None}
    assert out(compiled, canonical(), tables, full=full) == {}


def test_failing_expression_is_a_problem(build, canonical, tables):
    compiled = build("fields: {X: {out: name + 1}}")
    assert problem(compiled, canonical(name="n"), tables).code == "expression"


def test_own_key(build, canonical, tables):
    compiled = build("own_key: {field: Ext, length: 12}\nfields: {Name: name}")
    key = compiled.own_key_of("0123456789abcdef0123456789abcdef")
    assert len(key) == 12
    assert key == compiled.own_key_of("0123456789abcdef0123456789abcdef")
    assert key != compiled.own_key_of("0123456789abcdef0123456789abcdee")
    assert out(compiled, canonical(name="x"), tables, "create", own_key=key) == {"Name": "x", "Ext": key}
    assert out(compiled, canonical(name="x"), tables, own_key=key) == {"Name": "x"}
    assert problem(compiled, canonical(), tables, "create", own_key="x" * 13).field == "Ext"


def test_own_key_as_guid(build):
    compiled = build("own_key: {field: Id, form: guid}\nfields: {Name: name}")
    assert compiled.own_key_of("0123456789abcdef0123456789abcdef") == "01234567-89ab-cdef-0123-456789abcdef"
    assert len(compiled.own_key_of("any text")) == 36


def test_other_operations(build, canonical, tables):
    compiled = build("deactivate: {Blocked: All}\nfields: {Name: name}")
    assert out(compiled, canonical(name="x"), tables, "deactivate") == {"Blocked": "All"}
    assert out(compiled, canonical(name="x"), tables, "delete") == {}
    assert out(compiled, canonical(name="x"), tables, "action") == {}


ORDER = """
entity: sales_order
object: Orders
key: [Id]
lines:
  lines:
    object: OrderLines
    parent: OrderId
    key: Id
    where: {Kind: Item}
    own_key: {field: Ext, form: guid}
    fields:
      Text: {from: description, max: 5}
      Qty: quantity
      Price: {from: unit_price, digits: currency}
fields: {Number: number, Cur: {ref: currency, by: code}}
"""


def order(*changes, **fields):
    return Canonical("sales_order", "Orders", "o", fields, changes=list(changes))


def test_lines(build, tables):
    line = "0123456789abcdef0123456789abcdef"
    compiled = build(ORDER)
    mapped = compiled.write(
        order(
            LineChange("lines", "create", line, fields={"description": "a", "unit_price": Decimal("1.5")}),
            LineChange("lines", "update", "b", "k2", "v2", {"quantity": Decimal(3)}),
            LineChange("lines", "delete", "c", "k3"),
            currency="JPY",
        ),
        "update",
        tables,
    )
    assert mapped.problems == []
    assert mapped.native == {"Cur": "JPY"}
    create, update, delete = mapped.children
    assert create.data == {
        "Text": "a",
        "Price": Decimal(2),
        "Kind": "Item",
        "Ext": "01234567-89ab-cdef-0123-456789abcdef",
    }
    assert (create.op, create.id, create.key) == ("create", line, None)
    assert (update.op, update.key, update.version, update.data) == ("update", "k2", "v2", {"Qty": Decimal(3)})
    assert (delete.op, delete.key, delete.data) == ("delete", "k3", {})


def test_problem_in_a_line_names_the_line(build, tables):
    mapped = build(ORDER).write(
        order(LineChange("lines", "update", "x", "k", fields={"position": 4, "description": "too long"})),
        "update",
        tables,
    )
    assert [(p.field, p.code) for p in mapped.problems] == [("lines[4].description", "too_long")]


def test_lines_that_are_not_mapped_are_a_problem(build, tables):
    mapped = build(ORDER).write(order(LineChange("taxes", "create", "x")), "update", tables)
    assert mapped.problems[0].field == "taxes"
