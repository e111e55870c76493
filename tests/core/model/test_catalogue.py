"""The catalogue: completeness of core's entities, clashes, suggestions."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from weft.errors import ConfigError
from weft.model.catalogue import Catalogue, core_entities
from weft.model.declared import EntityDeclaration
from weft.model.entity import EntityType, Field

EXPECTED = [
    "customer", "contact", "vendor", "product", "price", "project", "lead", "opportunity", "activity",
    "quote", "sales_order", "sales_invoice", "credit_memo", "payment", "purchase_order", "bill",
    "vendor_credit", "bill_payment", "sales_receipt", "statement_charge", "deposit", "check", "card_charge",
    "bank_account", "gl_account", "journal_entry", "time_entry", "inventory_level",
    "exchange_rate", "dimension_value", "currency", "country", "region", "city", "unit", "payment_terms",
    "payment_method", "shipment_method", "tax", "customer_group", "vendor_group", "item_group", "price_list",
    "user", "location",
]  # fmt: skip


def all_types() -> list[tuple[str, EntityType]]:
    found = []
    for entity in core_entities():
        found.append((entity.name, entity))
        found += [(f"{entity.name}.{name}", line) for name, line in entity.lines.items()]
    return found


def test_every_entity_is_there() -> None:
    assert sorted(Catalogue().types) == sorted(EXPECTED)


@pytest.mark.parametrize(("path", "entity"), all_types())
def test_each_entity_is_complete(path: str, entity: EntityType) -> None:
    assert entity.doc
    assert entity.fields
    for name, field in entity.fields.items():
        assert name == field.name
        assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?", name)
        assert field.doc, f"{path}.{name} says nothing"
        assert "\n" not in field.doc
        assert (field.kind == "ref") == (field.entity is not None)
        assert (field.kind == "money") == (field.currency is not None)
    assert any(name in entity.fields for name in entity.label)
    for total in entity.totals:
        assert entity.fields[total].kind == "money"
        assert total in entity.lines["lines"].fields
    if entity.currency and "." not in path:
        assert entity.fields[entity.currency].entity == "currency"
    if entity.kind == "reference":
        assert entity.code in entity.fields


def test_references_to_reference_data_are_codes_and_others_are_refs() -> None:
    from weft.model.catalogue import CORE

    catalogue = Catalogue()
    for cls, entity in zip(CORE, catalogue, strict=True):
        for name in cls.model_fields:
            field = entity.fields.get(name)
            if field is not None and field.entity:
                annotated = str(cls.model_fields[name].annotation)
                assert ("Ref" in annotated) != catalogue.is_reference(field.entity), f"{entity.name}.{name}"


def test_money_in_a_document_names_a_currency_the_document_has() -> None:
    for entity in core_entities():
        for field in entity.fields.values():
            if field.currency:
                assert entity.fields[field.currency].entity == "currency", f"{entity.name}.{field.name}"


def test_a_name_claimed_twice_is_refused_with_both_sources() -> None:
    mine = EntityType("customer", fields={"name": Field("name")})
    with pytest.raises(ConfigError, match=r"'customer' of plugin x exists already: weft declares it"):
        Catalogue({"weft": core_entities(), "plugin x": [mine]})


def test_a_reference_to_nothing_is_refused() -> None:
    mine = EntityType("warranty", fields={"product": Field("product", "ref", "produkt")})
    with pytest.raises(ConfigError, match=r"warranty\.product .*'produkt'.*did you mean 'product'"):
        Catalogue({"weft": core_entities(), "plugin x": [mine]})


def test_a_reference_to_nothing_in_lines_is_refused() -> None:
    line = EntityType("x", fields={"p": Field("p", "ref", "nowhere")})
    mine = EntityType("warranty", fields={"a": Field("a")}, lines={"parts": line})
    with pytest.raises(ConfigError, match=r"warranty\.parts\.p of plugin x refers to entity 'nowhere'"):
        Catalogue({"weft": core_entities(), "plugin x": [mine]})


def test_get_suggests_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="no entity 'custmer'; did you mean 'customer'"):
        Catalogue().get("custmer")


def test_plugins_and_the_configuration_add_entities() -> None:
    extra = EntityType("claim", fields={"warranty": Field("warranty", "ref", "warranty")})
    module = SimpleNamespace(weft_entities=lambda: [extra])
    plugins: Any = SimpleNamespace(loaded={"x": SimpleNamespace(hooks=("weft_entities",), module=module)})
    config: Any = SimpleNamespace(
        entities={"warranty": EntityDeclaration.model_validate({"fields": {"serial": "text"}})}
    )
    catalogue = Catalogue.of(plugins, config)
    assert catalogue.get("claim") is extra
    assert catalogue.origin["claim"] == "plugin x"
    assert catalogue.get("warranty").fields["serial"].kind == "text"
    assert "warranty" in catalogue
    assert len(catalogue) == len(EXPECTED) + 2
