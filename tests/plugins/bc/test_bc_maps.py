"""The packaged mappings: they compile, and name nothing the environment does not have."""

from __future__ import annotations

from decimal import Decimal

from weft.mapping.compile import compile_mapping
from weft.mapping.document import FieldMap
from weft.mapping.loading import packaged
from weft.mapping.tables import NoTables
from weft.model.catalogue import core_entities
from weft.model.values import Ref
from weft.records import Canonical, LineChange
from weft_bc import connector
from weft_bc.describing import known_objects
from weft_bc.mappings import mappings, places
from weft_bc.settings import BcSettings

ENTITIES = {entity.name: entity for entity in core_entities()}
PLACES = places(BcSettings.model_construct())
REQUIRED = {
    "customer", "contact", "vendor", "product", "quote", "sales_order", "sales_invoice", "payment", "currency",
    "country", "unit", "payment_terms", "tax", "item_group", "user", "exchange_rate", "gl_account", "credit_memo",
}  # fmt: skip


def test_every_document_compiles():
    documents = packaged("weft_bc", None, PLACES)
    objects = {}
    for document in documents:
        objects.setdefault(document.entity, document.object.read)
    for document in documents:
        compile_mapping(document, ENTITIES[document.entity], kind="bc", entities=ENTITIES, ref_object=objects.get)
    assert {d.entity for d in documents} >= REQUIRED


async def test_fields_exist_and_only_writable_ones_are_written(bench):
    documents = packaged("weft_bc", None, PLACES)
    names = {d.object.read for d in documents}
    names |= {lines.object for d in documents for lines in d.lines.values()}
    schemas = {s.name: s async for s in connector.weft_describe(bench.session, sorted(names))}
    assert set(schemas) == names
    wrong = []

    def check(object_name: str, label: str, field: FieldMap, read_only: bool) -> None:
        native = label.split("#")[0]
        found = schemas[object_name].properties.get(native)
        where = f"{object_name}.{native}"
        if found is None:
            wrong.append(f"{where} is unknown")
            return
        one_way = field.in_ is not None and field.out is None
        if field.on != "read" and not one_way and not read_only and found.read_only:
            wrong.append(f"{where} is read only")
        if field.max is not None and found.max_length is not None and field.max > found.max_length:
            wrong.append(f"{where} holds {found.max_length} characters, not {field.max}")
        for native_value in (field.values or {}).values():
            for one in native_value if isinstance(native_value, list) else [native_value]:
                if found.values and one not in found.values:
                    wrong.append(f"{where} has no member {one}")

    for document in documents:
        for label, field in document.fields.items():
            if label.split(".")[0] not in document.parts:
                check(document.object.read, label, field, document.read_only)
        for lines in document.lines.values():
            for label, field in lines.fields.items():
                check(lines.object, label, field, document.read_only)
    assert not wrong


async def test_every_written_text_says_how_long_it_may_be(bench):
    """Otherwise it would only be refused by the service, one record at a time."""
    schemas = {s.name: s async for s in connector.weft_describe(bench.session, None)}
    loose = []
    for document in packaged("weft_bc", None, PLACES):
        if document.read_only:
            continue
        properties = schemas[document.object.read].properties
        for label, field in document.fields.items():
            found = properties.get(label.split("#")[0])
            written = field.on != "read" and field.in_ is None and field.by not in ("id", "key")
            plain = field.values is None and not (field.ref and field.missing.policy == "empty")
            if found and written and plain and found.kind == "text" and found.max_length and field.max is None:
                loose.append(f"{document.entity}.{label}")
    assert not loose


def test_the_wait_for_a_lost_answer_is_a_setting(bench):
    slow = bench.settings.model_copy(update={"settle_seconds": 5.0})
    assert [m.settle_seconds for m in mappings(slow, "customer")] == [5.0]
    assert [m.settle_seconds for m in mappings(bench.settings, "sales_order")] == [480.0]


def test_objects_json_names_the_notifying_sets():
    told = {name for name, facts in known_objects().items() if facts.get("webhook")}
    assert {"customers", "items", "salesOrders", "salesInvoices", "vendors"} <= told
    assert "contacts" not in told


def test_a_discount_amount_needs_no_percentage(bench):
    """Of one of the two the service computes the other."""
    [document, *_] = mappings(bench.settings, "sales_order")
    compiled = compile_mapping(document, ENTITIES["sales_order"], kind="bc", entities=ENTITIES, ref_object=str)
    line = {"description": "Lamp", "quantity": Decimal(2), "unit_price": Decimal(50), "discount_amount": Decimal(7)}
    order = Canonical("sales_order", "salesOrders", "", {"customer": Ref("customer", "c")},
                      changes=[LineChange("lines", "create", "1", fields=line)])  # fmt: skip
    mapped = compiled.write(order, "create", NoTables())
    assert not mapped.problems
    [child] = mapped.children
    assert (child.data["discountAmount"], child.data.get("discountPercent")) == (7, None)
