from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest

from weft import yamlpos
from weft.mapping.compile import compile_mapping
from weft.mapping.document import Mapping
from weft.mapping.loading import MappingError, merge, overlay, packaged, parse

CUSTOMERS = """
entity: customer
variant: account
object: "{prefix}Accounts"
key: [Id]
fields:
  "{prefix}Name": {from: name, max: 50, values: {a: b}}
  Shape: {from: custom.shape, in: "{'x': {prefix}Kind}"}
---
entity: customer
variant: person
object: Contacts
key: [Id]
fields: {Name: name}
"""
ORDERS = "entity: sales_order\nobject: Orders\nkey: [Id]\nfields: {No: number}\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    maps = tmp_path / "acme_maps_for_tests" / "maps"
    maps.mkdir(parents=True)
    (maps.parent / "__init__.py").write_text("")
    (maps / "b.yaml").write_text(CUSTOMERS)
    (maps / "a.yaml").write_text(ORDERS)
    (maps / "README.md").write_text("not a mapping")
    monkeypatch.syspath_prepend(tmp_path)
    import_module("acme_maps_for_tests")
    yield "acme_maps_for_tests", maps
    import sys

    del sys.modules["acme_maps_for_tests"]


def test_packaged(package):
    name, _ = package
    found = packaged(name, "customer", {"prefix": "Usr"})
    assert [(m.entity, m.variant, m.object.read) for m in found] == [
        ("customer", "account", "UsrAccounts"),
        ("customer", "person", "Contacts"),
    ]
    first = found[0]
    assert list(first.fields) == ["UsrName", "Shape"]
    assert first.fields["Shape"].in_ == "{'x': UsrKind}"
    assert first.at("fields", "UsrName", "max") == f"{name}/maps/b.yaml:7:37"
    assert first.source == f"{name}/maps/b.yaml"
    assert [m.entity for m in packaged(name, placeholders={"prefix": ""})] == [
        "sales_order",
        "customer",
        "customer",
    ]
    assert packaged(name, "payment") == []


def test_placeholder_without_a_value(package):
    name, _ = package
    with pytest.raises(MappingError, match=r"b\.yaml:4:1: the placeholder \{prefix\} has no value, did you mean"):
        packaged(name, "customer", {"prefx": "x"})


def test_placeholder_without_quotes_is_told():
    with pytest.raises(yamlpos.YamlError, match=r"begins with '\{' into quotes"):
        yamlpos.load("object: {prefix}Accounts\nkey: 1")


def test_two_documents_for_one_variant(package):
    name, maps = package
    (maps / "c.yaml").write_text(ORDERS)
    with pytest.raises(MappingError, match=r"c\.yaml:1:1: .*two documents.*a\.yaml:1:1"):
        packaged(name, "sales_order")


def test_errors_of_a_document_are_told_together():
    text = "entity: customer\nobject: A\nkey: [Id]\nfields:\n  A: {form: x, on: crate}\nlnies: {}\nsource: x\n"
    with pytest.raises(MappingError, match="unknown key 'source'"):
        parse(yamlpos.load(text, "m.yaml"))
    with pytest.raises(MappingError) as caught:
        parse(yamlpos.load(text.replace("source: x\n", ""), "m.yaml"))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("m.yaml:5:20: fields.A.on: 'crate' is not one of both, create")
    assert lines[0].endswith("did you mean 'create'?")
    assert lines[1].startswith("m.yaml:5:7: fields.A.form: unknown key 'form', did you mean 'from'?; allowed: from,")
    assert lines[2].startswith("m.yaml:6:1: lnies: unknown key 'lnies', did you mean 'lines'?")
    assert len(lines) == 3
    with pytest.raises(MappingError, match="a mapping is expected"):
        parse(yamlpos.load("- 1", "m.yaml"))


BASE = """
entity: customer
object: Accounts
key: [Id]
match: [[name], [email]]
parts: {mail: {object: Mail, join: {Owner: Id}}}
fields:
  Name: {from: name, max: 50, cut: true}
  Type: {from: type, values: {customer: K, prospect: P}}
  Mail: email
  Fix: {const: 1}
"""


def where(*path):
    return f"weft.yaml:{len(path)}:{'.'.join(map(str, path))}"


def merged(user):
    return merge(parse(yamlpos.load(BASE, "base.yaml")), yamlpos.load(user, "weft.yaml").data, where)


def test_overlay_merges_by_field():
    found = merged(
        "object: Companies\nmatch: [[tax_id]]\nparts: {mail: null}\nfields:\n"
        "  Name: {max: 80, cut: null}\n  Type: {values: {prospect: null, customer: X}}\n  Mail: null\n"
        "  Fix: {from: notes}\n  Web: custom.web\n  Email: {const: null, default: x}\n"
    )
    assert found.object.read == "Companies"
    assert found.match == [["tax_id"]]
    assert found.parts == {}
    assert list(found.fields) == ["Name", "Type", "Fix", "Web", "Email"]
    name, kind, fixed = found.fields["Name"], found.fields["Type"], found.fields["Fix"]
    assert (name.from_, name.max, name.cut) == ("name", 80, False)
    assert kind.values == {"customer": "X", "prospect": None}
    assert (fixed.const, fixed.from_) == (None, "notes")
    assert found.at("fields", "Name", "max") == where("fields", "Name", "max")
    assert found.at("fields", "Name", "from") == "base.yaml:8:16"


def test_plain_text_replaces_a_field():
    found = merged("fields: {Name: notes, Type: {const: K}}").fields
    assert (found["Name"].from_, found["Name"].max) == ("notes", None)
    assert (found["Type"].const, found["Type"].from_) == ("K", None)


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ("entity: vendor", "weft.yaml:1:entity: entity: cannot be changed"),
        ("fields: {Name: {maximum: 3}}", "weft.yaml:3:fields.Name.maximum: fields.Name.maximum: unknown key"),
        (
            "fields: {Name: {max: many}}",
            "weft.yaml:3:fields.Name.max: fields.Name.max: write a whole number",
        ),
        ("key: null", "key: is missing"),
    ],
)
def test_what_is_wrong_in_an_overlay_names_the_place(user, message):
    with pytest.raises(MappingError) as caught:
        merged(user)
    assert message in str(caught.value)


def config(**mappings):
    return SimpleNamespace(mappings=mappings, where=lambda *path: where(*path))


def test_overlay_by_connection_entity_and_variant():
    base = parse(yamlpos.load(BASE, "base.yaml"))
    settings = config(
        crm={
            "customer": {
                "default": {"fields": {"Mail": None}},
                "own": {"object": "X", "key": ["Id"], "fields": {"A": "name"}},
            }
        }
    )
    found = overlay([base], settings, "crm", "customer")
    assert [m.variant for m in found] == ["default", "own"]
    assert "Mail" not in found[0].fields
    assert (found[1].entity, found[1].fields["A"].from_) == ("customer", "name")
    assert overlay([base], settings, "erp", "customer") == [base]
    with pytest.raises(MappingError, match=r"no packaged variant 'defautl', did you mean 'default'\?"):
        overlay([base], config(crm={"customer": {"defautl": {"fields": {}}}}), "crm", "customer")


def test_documents_that_contradict_the_entity_are_refused_with_every_finding(entities):
    mapping = parse(
        yamlpos.load(
            """
entity: customer
object: A
key: [Id]
when: "a ="
accepts: "tpye = 'x'"
match: [[nmae]]
returns: [nr]
lines: {items: {object: L, parent: P, key: Id, fields: {}}}
fields:
  A: nmae
  B: {from: type, values: {custmer: x}}
  C: {ref: curency, from: currency}
  D: {ref: customer, from: currency}
  E: {ref: product, from: custom.p, by: code}
  F: parent
  G: {const: 1, from: name}
  H: {}
  I: {in: x}
  J: {from: name, cut: true}
  K: {ref: sales_order, from: custom.o}
  L: {from: blocked, values: {perhaps: x}}
  M: {from: notes, in: "$keys($)"}
""",
            "m.yaml",
        )
    )
    with pytest.raises(MappingError) as caught:
        compile_mapping(
            mapping,
            entities["customer"],
            kind="acme",
            entities=entities,
            ref_object={"customer": "A", "product": "P"}.get,
        )
    text = str(caught.value)
    for expected in (
        "m.yaml:5:7: at character 3",
        "m.yaml:6:10: at character 1, near 'tpye = 'x'': there is no field 'tpye', did you mean 'type'?",
        "match: customer has no field 'nmae', did you mean 'name'?",
        "returns: customer has no field 'nr'",
        "lines.items: customer has no lines 'items'; there are: none",
        "m.yaml:11:6: fields.A: customer has no field 'nmae', did you mean 'name'?; or call it custom.nmae",
        "m.yaml:12:37: fields.B.values.custmer: is no value of type, did you mean 'customer'?",
        "m.yaml:13:12: fields.C.ref: there is no entity 'curency', did you mean 'currency'?",
        "fields.D.ref: currency refers to currency, not to customer",
        "fields.E.by: product is no reference entity",
        "fields.F: parent is a reference: write `ref: customer`",
        "fields.G: `const` stands alone",
        "fields.H: needs `from`",
        "fields.I: `in` needs `from`",
        "fields.J: `cut` needs `max`",
        "fields.K: acme has no mapping for sales_order",
        "fields.L.values.perhaps: is no value of blocked",
        "fields.M.in: it cannot be told which fields",
    ):
        assert expected in text
    with pytest.raises(MappingError, match="entity: is 'customer', not 'product'"):
        compile_mapping(mapping, entities["product"], kind="acme")


def test_needs_stands_in_for_what_cannot_be_told(build, record, tables):
    compiled = build("fields: {M: {from: notes, in: \"$join($keys($), '+')\", needs: [A, B]}}")
    assert compiled.native_fields() == ["Id", "A", "B"]
    assert compiled.read([record({"A": 1, "B": 2})], tables)[0].canonical.fields == {"notes": "A+B"}


def test_digest_changes_with_the_document_only():
    one, two = (parse(yamlpos.load(text, name)) for text, name in ((BASE, "a.yaml"), ("\n\n" + BASE, "b.yaml")))
    assert one.positions != two.positions
    assert Mapping.model_dump(one) == Mapping.model_dump(two)
