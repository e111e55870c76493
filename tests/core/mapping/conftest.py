"""A fictional trade system, and the canonical entities the mapping tests use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from weft import yamlpos
from weft.mapping.compile import CompiledMapping, compile_mapping
from weft.mapping.loading import parse
from weft.model.currencies import ISO, Currencies
from weft.model.entity import EntityType, Field
from weft.records import Canonical, Record

LINE = EntityType(
    "sales_order_line",
    "document",
    fields={
        name: Field(name, kind, currency="currency" if kind == "money" else None)
        for name, kind in {
            "position": "integer", "description": "text", "quantity": "decimal", "unit_price": "money",
        }.items()
    }
    | {"product": Field("product", "ref", entity="product"), "unit": Field("unit", "ref", entity="unit")},
)  # fmt: skip

CUSTOMER = EntityType(
    "customer",
    fields={
        **{
            name: Field(name, "text")
            for name in (
                "number", "name", "email", "phone", "tax_id", "notes", "address.street",
                "address.postal_code", "address.city",
            )
        },
        "type": Field("type", "text", values=("customer", "prospect")),
        "address.country": Field("address.country", "ref", entity="country"),
        "currency": Field("currency", "ref", entity="currency"),
        "group": Field("group", "ref", entity="customer_group"),
        "parent": Field("parent", "ref", entity="customer"),
        "credit_limit": Field("credit_limit", "money", currency="currency"),
        "discount": Field("discount", "decimal"),
        "employees": Field("employees", "integer"),
        "blocked": Field("blocked", "boolean"),
        "since": Field("since", "date"),
        "modified": Field("modified", "datetime"),
    },
    currency="currency",
)  # fmt: skip

ORDER = EntityType(
    "sales_order",
    "document",
    fields={
        "number": Field("number", "text"),
        "customer": Field("customer", "ref", entity="customer"),
        "date": Field("date", "date"),
        "currency": Field("currency", "ref", entity="currency"),
        "gross_amount": Field("gross_amount", "money", currency="currency"),
        "status": Field("status", "text"),
    },
    lines={"lines": LINE},
    currency="currency",
)

REFERENCES = {
    name: EntityType(name, "reference", code="code", fields={"code": Field("code"), "name": Field("name")})
    for name in ("country", "currency", "customer_group", "unit")
}
PRODUCT = EntityType("product", fields={"number": Field("number"), "name": Field("name")})
ENTITIES = {entity.name: entity for entity in (CUSTOMER, ORDER, PRODUCT, *REFERENCES.values())}
OBJECTS = {"customer": "Account", "product": "Product"}


class Rows:
    """Reference rows: entity -> code -> native key."""

    def __init__(self, rows: Mapping[str, Mapping[str, str]]) -> None:
        self.rows = rows

    def has(self, entity: str) -> bool:
        return entity in self.rows

    def code_of(self, entity: str, native_id: str) -> str | None:
        return next((c for c, key in self.rows.get(entity, {}).items() if key == native_id), None)

    def id_of(self, entity: str, code: str) -> str | None:
        return self.rows.get(entity, {}).get(code)


@pytest.fixture
def tables() -> Rows:
    return Rows({"currency": {"EUR": "cur-1", "USD": "cur-2", "JPY": "cur-3"}, "country": {"US": "c-1"}})


@pytest.fixture
def entities() -> dict[str, EntityType]:
    return dict(ENTITIES)


@pytest.fixture
def build() -> Callable[..., CompiledMapping]:
    """Compile a mapping from YAML; ``head`` is filled in where the text gives fields only."""

    head = "object: Account\nkey: [Id]\n"

    def build(text: str, entity: str = "customer", currencies: Currencies = ISO) -> CompiledMapping:
        if "entity:" not in text:
            text = f"entity: {entity}\n{head}{text}"
        mapping = parse(yamlpos.load(text, "maps/test.yaml"))
        return compile_mapping(
            mapping, ENTITIES[mapping.entity], kind="acme", entities=ENTITIES, ref_object=OBJECTS.get,
            currencies=currencies,
        )  # fmt: skip

    return build


@pytest.fixture
def record() -> Callable[..., Record]:
    def record(data: dict[str, Any], **rest: Any) -> Record:
        return Record("Account", rest.pop("key", "k1"), data, **rest)

    return record


@pytest.fixture
def canonical() -> Callable[..., Canonical]:
    def canonical(entity: str = "customer", **fields: Any) -> Canonical:
        flat = {name.replace("__", "."): value for name, value in fields.items()}
        return Canonical(entity, "Account", "k1", flat)

    return canonical
