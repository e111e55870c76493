from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from weft.model.values import Ref
from weft.records import Record


def one(compiled, record, tables):
    mapped = compiled.read([record], tables)[0]
    assert mapped.problems == []
    return mapped.canonical


def problem(compiled, record, tables):
    mapped = compiled.read([record], tables)[0]
    assert mapped.canonical is None
    assert len(mapped.problems) == 1
    return mapped.problems[0]


def test_copies_and_leaves_missing_fields_absent(build, record, tables):
    compiled = build("fields: {Name: name, Email: email}")
    assert one(compiled, record({"Name": " Contoso "}), tables).fields == {"name": " Contoso "}


def test_identity_company_and_variant(build, tables):
    compiled = build(
        "entity: customer\nvariant: person\nobject: Contact\nkey: [Id]\ncompany: area\nfields: {Name: name}"
    )
    stamp = datetime(2024, 1, 2, tzinfo=UTC)
    found = one(compiled, Record("Contact", "9", {"Name": "x", "area": "usmf"}, "", "W/1", stamp, "Ann"), tables)
    assert (found.entity, found.variant, found.object, found.key) == ("customer", "person", "Contact", "9")
    assert (found.company, found.version, found.changed_at, found.changed_by) == ("usmf", "W/1", stamp, "Ann")


@pytest.mark.parametrize("raw", [None, "", "   ", "00000000-0000-0000-0000-000000000000"])
def test_blank_text(build, record, tables, raw):
    assert one(build("fields: {Name: name}"), record({"Name": raw}), tables).fields == {"name": None}


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("credit_limit", Decimal("1.50"), Decimal("1.50")),
        ("credit_limit", "12345678901234567.89", Decimal("12345678901234567.89")),
        ("credit_limit", 0, Decimal(0)),
        ("discount", Decimal(0), Decimal(0)),
        ("employees", "12", 12),
        ("employees", Decimal("12.0"), 12),
        ("employees", 5637144576123456789, 5637144576123456789),
        ("blocked", False, False),
        ("blocked", "Yes", True),
        ("blocked", 0, False),
        ("since", "2024-01-31", date(2024, 1, 31)),
        ("since", "2024-01-31T12:00:00Z", date(2024, 1, 31)),
        ("since", "1900-01-01T12:00:00Z", None),
        ("since", "0001-01-01", None),
        ("since", date(1900, 1, 1), None),
        ("modified", "2024-01-31T08:15:30.1234567Z", datetime(2024, 1, 31, 8, 15, 30, 123456, UTC)),
        ("modified", "2024-01-31T08:15:30+02:00", datetime(2024, 1, 31, 6, 15, 30, tzinfo=UTC)),
        ("modified", "0001-01-01T00:00:00Z", None),
        (
            "modified",
            datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            datetime(2023, 12, 31, 23, tzinfo=UTC),
        ),
        ("number", 7, "7"),
        ("number", Decimal("7.10"), "7.10"),
        ("number", True, "true"),
        ("custom.x", Decimal("7.10"), Decimal("7.10")),
        ("custom.x", "", None),
    ],
)
def test_casts(build, record, tables, field, raw, value):
    found = one(build(f"fields: {{X: {field}}}"), record({"X": raw}), tables).fields[field]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("field", "raw", "text"),
    [
        ("modified", "2024-01-31T08:15:30", "has no time zone"),
        ("modified", datetime(2024, 1, 31), "has no time zone"),
        ("modified", "yesterday", "is not a time"),
        ("since", "31.1.2024", "is not a date"),
        ("credit_limit", "many", "is not a number"),
        ("credit_limit", 1.5, "binary float"),
        ("credit_limit", True, "is no number"),
        ("credit_limit", Decimal("NaN"), "is not a number"),
        ("employees", "1.5", "is not a whole number"),
        ("employees", Decimal("1.5"), "is not a whole number"),
        ("blocked", "perhaps", "neither true nor false"),
        ("name", ["a"], "a text is expected"),
        ("type", "friend", "is not one of customer, prospect"),
        ("custom.x", 0.5, "binary float"),
    ],
)
def test_what_does_not_fit_is_a_problem(build, record, tables, field, raw, text):
    found = problem(build(f"fields: {{X: {field}}}"), record({"X": raw}), tables)
    assert found.field == field
    assert text in found.message
    assert found.message.startswith("X: ")


def test_blank_list(build, record, tables):
    compiled = build(
        "fields: {A: {from: credit_limit, blank: [0]}, B: {from: name, blank: ['-', n/a]},"
        " C: {from: blocked, blank: [false]}, D: {from: employees, blank: [0]}}"
    )
    found = one(compiled, record({"A": Decimal("0.00"), "B": "n/a", "C": False, "D": 1}), tables)
    assert found.fields == {"credit_limit": None, "name": None, "blocked": None, "employees": 1}


def test_blank_zero_is_not_false(build, record, tables):
    found = one(build("fields: {C: {from: blocked, blank: [0]}}"), record({"C": False}), tables)
    assert found.fields == {"blocked": False}


def test_values(build, record, tables):
    compiled = build(
        "fields: {T: {from: type, values: {customer: [Kunde, Client], prospect: 2, '': None}},"
        " B: {from: blocked, values: {true: All, false: _x0020_}}}"
    )
    for raw, value in [
        ("Kunde", "customer"),
        ("Client", "customer"),
        (2, "prospect"),
        ("None", None),
        ("", None),
        (None, None),
    ]:
        assert one(compiled, record({"T": raw}), tables).fields["type"] == value
    assert one(compiled, record({"B": "_x0020_"}), tables).fields["blocked"] is False
    found = problem(compiled, record({"T": "Freund"}), tables)
    assert found.field == "type"
    assert "'Freund' is not mapped" in found.message
    assert "Kunde, Client, 2, None" in found.message


def test_values_tell_true_from_one(build, record, tables):
    compiled = build("fields: {T: {from: type, values: {customer: 1, prospect: true}}}")
    assert one(compiled, record({"T": True}), tables).fields["type"] == "prospect"
    assert one(compiled, record({"T": 1}), tables).fields["type"] == "customer"


def test_several_canonical_values_for_one_native_value_read_as_the_first(build, record, tables):
    compiled = build("fields: {T: {from: type, values: {customer: A, prospect: A}}}")
    assert one(compiled, record({"T": "A"}), tables).fields["type"] == "customer"


def test_references(build, record, tables):
    compiled = build(
        "fields: {Cur: {ref: currency, by: id}, Grp: {ref: customer_group, from: group, values: {A: '10'}},"
        " ParentId: {ref: customer, from: parent}, Land: {ref: country, from: address.country, by: code}}"
    )
    data = {"Cur": "cur-2", "Grp": "10", "ParentId": "p-1", "Land": "DE"}
    assert one(compiled, record(data), tables).fields == {
        "currency": "USD",
        "group": "A",
        "parent": Ref("Account", "p-1"),
        "address.country": "DE",
    }
    blank = dict.fromkeys(data, "00000000-0000-0000-0000-000000000000")
    assert set(one(compiled, record(blank), tables).fields.values()) == {None}
    assert one(compiled, record({**data, "Grp": "77"}), tables).fields["group"] == "77"
    assert compiled.references() == {"currency"}
    assert compiled.links() == {"customer"}


def test_unknown_reference_row(build, record, tables):
    found = problem(build("fields: {Cur: {ref: currency, by: id}}"), record({"Cur": "cur-9"}), tables)
    assert (found.code, found.entity, found.key) == ("reference", "currency", "cur-9")


def test_values_come_before_the_reference_table(build, record, tables):
    compiled = build("fields: {Cur: {ref: currency, by: id, values: {EUR: ''}}}")
    assert one(compiled, record({"Cur": ""}), tables).fields["currency"] == "EUR"
    assert one(compiled, record({"Cur": "cur-2"}), tables).fields["currency"] == "USD"


def test_reference_by_another_field(build, record, tables):
    compiled = build("fields: {ParentNo: {ref: customer, from: parent, by: Number}}")
    assert compiled.alternates() == {("customer", "Number")}
    assert problem(compiled, record({"ParentNo": "7"}), tables).code == "reference"
    tables.key_by = lambda entity, field, value: f"{entity}-{field}-{value}"
    assert one(compiled, record({"ParentNo": "7"}), tables).fields["parent"] == Ref("Account", "customer-Number-7")


def test_first_of_several_sources_that_is_not_empty_wins(build, record, tables):
    compiled = build(
        "fields: {AccountId: {ref: customer, from: parent, object: Account},"
        " ContactId: {ref: customer, from: parent, object: Contact}}"
    )
    assert one(compiled, record({"AccountId": "a", "ContactId": "c"}), tables).fields["parent"] == Ref("Account", "a")
    assert one(compiled, record({"AccountId": "", "ContactId": "c"}), tables).fields["parent"] == Ref("Contact", "c")


def test_one_native_field_may_feed_several(build, record, tables):
    compiled = build("fields: {'Name': name, 'Name#note': notes}")
    assert one(compiled, record({"Name": "x"}), tables).fields == {"name": "x", "notes": "x"}


def test_parts(build, record, tables):
    compiled = build("parts: {mail: {object: Mail, join: {Owner: Id}}}\nfields: {mail.Address: email}")
    row = Record("Mail", "m", {"Address": "a@example.com"})
    assert one(compiled, record({}, children={"mail": [row]}), tables).fields == {"email": "a@example.com"}
    assert one(compiled, record({}, children={"mail": []}), tables).fields == {"email": None}
    assert one(compiled, record({}), tables).fields == {}
    assert compiled.part_fields("mail") == ["Owner", "Address"]
    assert compiled.native_fields() == ["Id"]


def test_paths_through_nested_objects(build, record, tables):
    compiled = build("fields: {Country/Code: {from: custom.land}}")
    assert one(compiled, record({"Country": {"Code": "US"}}), tables).fields == {"custom.land": "US"}
    assert one(compiled, record({"Country": None}), tables).fields == {"custom.land": None}
    assert one(compiled, record({}), tables).fields == {}
    assert compiled.writable == frozenset()


def test_expressions(build, record, tables):
    compiled = build(
        "fields: {X: {from: name, in: \"First & ' ' & Last\"}, Y: {from: credit_limit, in: Amount * 2},"
        " Z: {from: number, in: RecId}, E: {from: since, in: Day}}"
    )
    data = {
        "First": "Ada",
        "Last": "Byron",
        "Amount": Decimal("0.55"),
        "RecId": 5637144576123456789,
        "Day": "1900-01-01",
    }
    assert one(compiled, record(data), tables).fields == {
        "name": "Ada Byron",
        "credit_limit": Decimal("1.1"),
        "number": "5637144576123456789",
        "since": None,
    }
    assert set(compiled.native_fields()) == {"Id", *data}


def test_failing_expression_names_its_place(build, record, tables):
    compiled = build("fields: {X: {from: name, in: 'Amount + 1'}}")
    found = problem(compiled, record({"Amount": "x"}), tables)
    assert found.code == "expression"
    assert "maps/test.yaml:4:30" in found.message
    assert "character 8" in found.message


def test_when_and_locked(build, record, tables):
    compiled = build("when: \"Kind = 'A'\"\nlocked: \"Posted ? 'is posted'\"\nfields: {Name: name}")
    assert set(compiled.native_fields()) == {"Id", "Name", "Kind", "Posted"}
    outside = compiled.read([record({"Kind": "B"})], tables)[0]
    assert outside.canonical is None
    assert outside.excluded == "not customer: Kind = 'A'"
    assert one(compiled, record({"Kind": "A", "Posted": True}), tables).locked == "is posted"
    assert one(compiled, record({"Kind": "A", "Posted": False}), tables).locked is None


def test_expression_over_parts_and_lines(build, record, tables):
    compiled = build(
        'parts: {mail: {object: Mail, join: {Owner: Id}}}\nfields: {X: {from: name, in: "$uppercase(mail.Address)"}}'
    )
    assert compiled.part_fields("mail") == ["Owner", "Address"]
    row = Record("Mail", "m", {"Address": "a"})
    assert one(compiled, record({}, children={"mail": [row]}), tables).fields == {"name": "A"}


LINES = """
entity: sales_order
object: Orders
key: [Id]
lines:
  lines:
    object: OrderLines
    parent: OrderId
    key: Id
    order: No
    when: "Kind != 'Text'"
    fields:
      No: position
      Text: {from: description, max: 10}
      Qty: quantity
      ProductId: {ref: product}
fields: {Number: number}
"""


def test_lines(build, tables):
    compiled = build(LINES)
    rows = [
        Record("OrderLines", "l2", {"No": 2, "Text": "b", "Qty": Decimal(2), "ProductId": "p"}, version="v"),
        Record("OrderLines", "l0", {"No": 0, "Kind": "Text"}),
        Record("OrderLines", "l1", {"No": 1, "Text": "", "Qty": 1}),
    ]
    found = one(compiled, Record("Orders", "o", {"Number": "1"}, "c", children={"lines": rows}), tables)
    assert [line.key for line in found.lines["lines"]] == ["l1", "l2"]
    first, second = found.lines["lines"]
    assert first.fields == {"position": 1, "description": None, "quantity": Decimal(1)}
    assert second.fields["product"] == Ref("Product", "p")
    assert (second.entity, second.object, second.version, second.company) == (
        "sales_order_line",
        "OrderLines",
        "v",
        "c",
    )
    assert set(compiled.line_fields("lines")) == {"Id", "OrderId", "No", "Kind", "Text", "Qty", "ProductId"}


def test_problem_in_a_line_names_the_line(build, tables):
    rows = [Record("OrderLines", "l1", {"No": 1}), Record("OrderLines", "l2", {"No": 2, "Qty": "much"})]
    mapped = build(LINES).read([Record("Orders", "o", {}, children={"lines": rows})], tables)[0]
    assert [p.field for p in mapped.problems] == ["lines[1].quantity"]


def test_lines_that_were_not_read_are_absent(build, tables):
    assert one(build(LINES), Record("Orders", "o", {}), tables).lines == {}
    assert one(build(LINES), Record("Orders", "o", {}, children={"lines": []}), tables).lines == {"lines": []}


def test_control_characters_are_read_as_they_are(build, record, tables):
    assert one(build("fields: {Name: name}"), record({"Name": "a\x01b"}), tables).fields["name"] == "a\x01b"
