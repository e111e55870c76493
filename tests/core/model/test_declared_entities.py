"""Entities declared in YAML."""

from __future__ import annotations

from typing import Any

import pytest

from weft.errors import ConfigError
from weft.model.declared import entity_from_config

WARRANTY: dict[str, Any] = {
    "title": "Warranty",
    "label": ["serial"],
    "kind": "document",
    "currency": "currency",
    "totals": ["amount"],
    "fields": {
        "serial": "text",
        "product": {"ref": "product", "doc": "What it covers"},
        "amount": {"kind": "money", "currency": "currency"},
        "currency": {"ref": "currency"},
        "status": {"values": ["open", "expired"]},
        "place.city": "text",
    },
    "lines": {"repairs": {"fields": {"note": "text", "amount": {"kind": "money", "currency": "currency"}}}},
}


def test_a_declaration_becomes_an_entity_type() -> None:
    found = entity_from_config("warranty", WARRANTY)
    assert (found.name, found.title, found.kind, found.currency) == (
        "warranty", "Warranty", "document", "currency",
    )  # fmt: skip
    assert found.label == ("serial",)
    assert found.fields["product"].kind == "ref"
    assert found.fields["product"].entity == "product"
    assert found.fields["product"].doc == "What it covers"
    assert found.fields["status"].values == ("open", "expired")
    assert found.fields["amount"].currency == "currency"
    assert found.lines["repairs"].fields["note"].kind == "text"
    assert found.lines["repairs"].name == "warranty.repairs"
    assert found.totals == ("amount",)


def test_reference_data_is_matched_by_code() -> None:
    found = entity_from_config("grade", {"kind": "reference", "fields": {"code": "text", "name": "text"}})
    assert found.code == "code"
    assert found.label == ("code", "name")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": {"x": "txt"}}, r"entities\.warranty\.fields\.x"),
        ({"fields": {"X Y": "text"}}, r"entities\.warranty\.fields\.X Y"),
        ({"fields": {"x": {"kind": "ref"}}}, "a reference needs"),
        ({"fields": {"x": {"kind": "text", "ref": "product"}}}, "only a reference may have it"),
        ({"fields": {"x": {"kind": "date", "values": ["a"]}}}, "`values` belong to a text"),
        ({"fields": {"x": {"kind": "money"}}}, "kind money needs `currency"),
        ({"fields": {"x": {"currency": "y"}}}, "`currency` belongs to kind money"),
        ({"label": ["nope"]}, "`label` names 'nope'"),
        ({"totals": ["serial"]}, "nothing can be summed"),
        ({"code": "serial"}, "`code` belongs to kind reference"),
        ({"kind": "reference"}, "`code` names 'code', which is no field"),
        ({"colour": "red"}, r"entities\.warranty\.colour"),
    ],
)
def test_a_faulty_declaration_is_told_with_its_key(change: dict[str, Any], message: str) -> None:
    base = WARRANTY if "fields" not in change else {}
    with pytest.raises(ConfigError, match=message):
        entity_from_config("warranty", {**base, **change})
