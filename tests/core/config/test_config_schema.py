"""The schema for editors accepts what loads and refuses what does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from weft import yamlpos
from weft.config.schema import json_schema
from weft.hookspecs import Connector

Errors = Callable[[Any, dict[str, Any]], list[str]]

GOOD = """\
state: sqlite:///weft.db
connections:
  a: {kind: loom, url: "${env:URL}", port: "${env:PORT}", auth: {method: password, user: u, password: p}}
  b: {kind: loom, url: x, port: 80, auth: {method: app, client_id: i, clientSecret: "${file:x}"}, tokens: [t]}
flows:
  customers:
    entity: customer
    between: [a, b]
    owner: a
    fields: {credit_limit: b, custom.rating: newest, name: {owner: a}}
    company: {by: address.country, US: usmf, DE: [demf, {connection: b, company: x}], default: usmf}
    match: [[tax_id]]
    create: b
    variants: {a: account, b: [x, y]}
    guards: {deletes: null, window: 1d}
    totals: {tolerance: 0.01}
    overlap: 30
    sweep: null
    on: webhook
mappings:
  a:
    customer:
      account: {fields: {Name: name, Odd: null, Zip: {from: address.city, compare: casefold}}, when: null}
entities:
  warranty: {fields: {serial: text, product: {ref: product}}, lines: {repairs: {fields: {note: text}}}}
log: {level: debug}
limits: {connections: {a: {concurrency: 2, timeout: 30s}}}
"""


def plain(text: str) -> Any:
    return yamlpos.load(text).data


def test_a_good_file_passes(loom: Connector, schema_errors: Errors) -> None:
    schema = json_schema({"loom": loom})
    assert schema_errors(plain(GOOD), schema) == []
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: loom, url: x", "kind: lom, url: x"),
        ("url: x, ", ""),
        ("url: x, ", "url: x, prot: 1, "),
        ("port: 80", "port: eighty"),
        ("method: app", "method: ap"),
        ("entity: customer", "entity: custmer"),
        ("credit_limit: b", "credt_limit: b"),
        ("[[tax_id]]", "[[taxid]]"),
        ("owner: a\n    fields", "onwer: a\n    fields"),
        ("on: webhook", "on: push"),
        ("overlap: 30", "overlap: 30 minutes"),
        ("window: 1d", "windw: 1d"),
        ("level: debug", "level: loud"),
        ("by: address.country, ", ""),
        ("compare: casefold", "compare: casefld"),
        ("  a:\n    customer", "  a:\n    costumer"),
        ("serial: text", "serial: {knd: text}"),
    ],
)
def test_what_does_not_load_is_marked(loom: Connector, schema_errors: Errors, old: str, new: str) -> None:
    assert old in GOOD
    assert schema_errors(plain(GOOD.replace(old, new, 1)), json_schema({"loom": loom})) != []


def test_descriptions_reach_the_editor(loom: Connector) -> None:
    schema = json_schema({"loom": loom})
    settings = schema["$defs"]["loom.settings"]
    assert settings["title"] == "A loom"
    assert settings["properties"]["url"]["description"] == "Address of the loom"
    assert settings["properties"]["port"]["description"] == "Port it listens on"
    for name in ("FlowConfig", "Guards", "Totals", "Retry", "Limits", "Log", "EntityDeclaration"):
        for key, found in schema["$defs"][name]["properties"].items():
            assert found.get("description"), f"{name}.{key} says nothing"


def test_without_connectors_it_is_still_a_schema() -> None:
    assert "allOf" not in json_schema({})["$defs"]["Connection"]
