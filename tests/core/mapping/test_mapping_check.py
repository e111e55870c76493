from __future__ import annotations

import pytest

from weft.mapping.check import check, errors, longest_texts, objects
from weft.records import ObjectSchema, Property


def schema(name, *properties):
    return ObjectSchema(name, ("Id",), {p.name: p for p in (Property("Id", "text", read_only=True), *properties)})


def findings(compiled, *schemas, **rest):
    return check(compiled, {one.name: one for one in schemas}, **rest)


def test_nothing_to_tell(build):
    compiled = build("fields: {Name: {from: name, max: 50, required: true}, Sum: credit_limit}")
    account = schema("Account", Property("Name", "text", max_length=50, required=True), Property("Sum", "decimal"))
    assert findings(compiled, account) == []


@pytest.mark.parametrize(
    ("fields", "native", "level", "text"),
    [
        ("Nmae: name", Property("Name", "text"), "error", "Account has no field 'Nmae' (did you mean 'Name'?)"),
        ("Name: name", Property("Name", "text", read_only=True), "error", "read-only when a record is created"),
        ("Sum: credit_limit", Property("Sum", "text"), "error", "of type money (set `cast: text`)"),
        ("No: number", Property("No", "integer"), "error", "of type text (set `cast: integer`)"),
        ("Name: {from: name, max: 60}", Property("Name", "text", max_length=50), "error", "(set `max: 50`)"),
        ("Name: {const: abc}", Property("Name", "text", max_length=2), "error", "`const` is longer than the 2"),
        ("Name: name", Property("Name", "text", required=True), "warning", "source may be EMPTY"),
        ("T: {from: type, values: {customer: Kund, prospect: P}}", Property("T", "text", values=("Kunde", "P")),
         "error", "'Kund' is none of its values: Kunde, P (did you mean 'Kunde'?)"),
        ("T: {from: name, default: 3}", Property("T", "text", values=("1", "2")), "error", "3 is none of its values"),
        ("X: {from: name, in: Other, out: name}", Property("X", "text"), "error", "has no field 'Other'"),
    ],
)  # fmt: skip
def test_findings(build, fields, native, level, text):
    found = findings(build(f"fields: {{{fields}}}"), schema("Account", native))
    assert found
    assert {one.level for one in found} == {level}
    assert any(text in str(one) for one in found), [str(one) for one in found]
    assert all(one.where.startswith("maps/test.yaml:4:") for one in found)
    assert all("acme customer/default" in str(one) for one in found)


def test_mandatory_field_that_is_not_mapped(build):
    found = findings(
        build("fields: {Name: name}"),
        schema("Account", Property("Name", "text"), Property("Group", "text", required=True)),
    )
    assert [(one.level, one.field) for one in found] == [("error", "Group")]
    assert list(errors(found)) == found


def test_fixed_values_supply_a_mandatory_field(build):
    group = Property("Group", "text", required=True)
    for text in (
        "where: {Group: A}\nfields: {Name: name}",
        "fields: {Name: name, Group: {default: A, on: create}}",
    ):
        assert findings(build(text), schema("Account", Property("Name", "text"), group)) == []


def test_reading_alone_needs_no_mandatory_fields(build):
    compiled = build("read_only: true\nfields: {Name: name}")
    native = (Property("Name", "text", read_only=True), Property("Group", "text", required=True))
    assert findings(compiled, schema("Account", *native)) == []


def test_longer_texts_of_the_other_side(build):
    there = build("fields: {Name: name, Mail: email}")
    lengths = longest_texts(
        there,
        {"Account": schema("Account", Property("Name", "text", max_length=100), Property("Mail", "text"))},
    )
    assert lengths == {"name": 100}
    here = schema("Account", Property("Name", "text", max_length=50))
    found = findings(build("fields: {Name: name}"), here, lengths=lengths)
    assert [one.level for one in found] == ["warning"]
    assert "up to 100 characters may arrive, 50 fit" in str(found[0])
    assert findings(build("fields: {Name: {from: name, max: 50}}"), here, lengths=lengths) == []


def test_objects_parts_lines_and_captures(build):
    text = """
entity: sales_order
object: {read: Orders, create: OrdersNew}
key: [Id]
capture: [{object: Log, field: Stamp}]
parts: {extra: {object: Extra, join: {OrderId: Id}}}
lines: {lines: {object: Rows, parent: OrderId, key: Id, fields: {Txt: description}}}
fields: {No: number, extra.Status: status}
"""
    compiled = build(text)
    assert objects(compiled.mapping) == ["Orders", "OrdersNew", "Log", "Extra", "Rows"]
    messages = [one.message for one in findings(compiled, schema("Order", Property("No", "text")))]
    assert messages == [f"the system has no object {name!r}, or hides it" for name in objects(compiled.mapping)]
    found = findings(
        compiled,
        schema("Orders"),
        schema("OrdersNew", Property("No", "text")),
        schema("Log"),
        schema("Extra", Property("OrderId", "text")),
        schema("Rows", Property("Text", "text")),
    )
    assert {(one.field, one.message) for one in found} == {
        ("No", "Orders has no field 'No'"),
        ("Stamp", "Log has no field 'Stamp'"),
        ("Status", "Extra has no field 'Status'"),
        ("OrderId", "Rows has no field 'OrderId'"),
        ("Txt", "Rows has no field 'Txt'"),
    }
