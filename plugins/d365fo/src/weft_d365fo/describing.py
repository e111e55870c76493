"""Live metadata, with the fields that the connector makes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from weft.net.odata.metadata import EntityType, Metadata
from weft.net.odata.metadata import Property as Native
from weft.records import ObjectSchema, Property
from weft_d365fo.facets import offered
from weft_d365fo.session import FoSession
from weft_d365fo.values import TERMS, annotation, is_date

_KINDS = {
    "Edm.String": "text",
    "Edm.Guid": "text",
    "Edm.Decimal": "decimal",
    "Edm.Int32": "integer",
    "Edm.Int64": "integer",
    "Edm.Boolean": "boolean",
    "Edm.DateTimeOffset": "datetime",
}

_FILLED = {
    "SalesOrderHeadersV2": {"LanguageId", "CurrencyCode", "InvoiceCustomerAccountNumber", "RequestedShippingDate"},
    "SalesOrderLines": {"CurrencyCode", "RequestedShippingDate"},
    "SalesQuotationHeadersV2": {"LanguageId", "CurrencyCode", "RequestedShippingDate"},
    "PurchaseOrderHeadersV2": {"LanguageId", "CurrencyCode", "InvoiceVendorAccountNumber"},
    "FreeTextInvoiceHeaders": {"LanguageId", "CurrencyCode", "InvoiceAccount", "InvoiceDate"},
    "VendorInvoiceHeaders": {"Currency"},
    "ProjectsV2": {"ScheduleStartDate"},
}
"""Mandatory fields that the environment fills by itself, from the customer, the vendor, the header or the day."""
_NUMBERED = {"LineNumber", "JournalBatchNumber", "TradeAgreementJournalNumber"}
"""Mandatory in lines, and given by this connector."""


async def describe(session: FoSession, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
    meta = await session.metadata()
    dimensions = session.settings.dimensions.facets()
    for name in objects if objects is not None else sorted(meta.sets):
        if name in meta.sets:
            yield schema(name, meta.entity(name), meta, dimensions)


def schema(name: str, type_: EntityType, meta: Metadata, dimensions: dict[str, str]) -> ObjectSchema:
    fixed = type_.annotations.get(TERMS + "IsReadOnly") == "true"
    properties: dict[str, Property] = {}
    for prop in type_.properties.values():
        facets = offered(prop, dimensions, name)
        told = _property(prop, meta, fixed)
        given = prop.name in _FILLED.get(name, ()) or (prop.name in _NUMBERED and "LineNumber" in type_.keys)
        if given or facets:  # a made field is as good as the one it is made into
            told = replace(told, required=False)
        properties[prop.name] = told
        for facet in facets:
            made = f"{prop.name}.{facet}"
            properties[made] = Property(made, "text", read_only=told.read_only, create_only=told.create_only)
    return ObjectSchema(
        name, tuple(type_.keys), properties, can_create=not fixed, can_update=not fixed, can_delete=not fixed
    )


def _property(prop: Native, meta: Metadata, fixed: bool) -> Property:
    """Mandatory is what carries IsRequired: nullability says nothing about it."""
    enum = meta.enums.get(prop.type)
    kind = "date" if is_date(prop) else _KINDS.get(prop.type, "any")
    locked = annotation(prop, "AllowEdit") == "false"
    return Property(
        prop.name,
        "text" if enum is not None else kind,
        max_length=prop.max_length,
        required=annotation(prop, "IsRequired") == "true",
        read_only=fixed or (locked and annotation(prop, "AllowEditOnCreate") == "false"),
        create_only=locked,
        values=tuple(enum.members) if enum is not None else (),
    )
