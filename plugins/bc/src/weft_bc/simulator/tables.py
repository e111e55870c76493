"""The tables behind one company: published sets plus ledgers and number series that have no set."""

from __future__ import annotations

from functools import cache

from weft.testing.odata import schema as odata
from weft.testing.odata.store import Row, Store, Table, Unique
from weft_bc.simulator.errors import BcError
from weft_bc.simulator.schema import EntitySet, Schema
from weft_bc.simulator.settings import Settings

# Where the guid is not the primary key order of the table: rows come in this order unless $orderby says else.
KEY_ORDER = {"dimensionSetLines": "code", "timeRegistrationEntries": "lineNumber"}

NOT_STORED = frozenset({"companies", "subscriptions", "pdfDocument"})

# Sets computed from others, filled when first asked for.
DERIVED = frozenset(
    {"customerFinancialDetails", "agedAccountsReceivables", "agedAccountsPayables", "contactsInformation"}
)

HASHED = {
    "customers": ("number", "displayName", "email", "taxRegistrationNumber", "phoneNumber"),
    "vendors": ("number", "displayName", "email", "taxRegistrationNumber"),
    "contacts": ("number", "email", "companyNumber"),
    "items": ("number", "displayName", "gtin"),
    "contactsInformation": ("relatedId",),
    "dimensionSetLines": ("parentId",),
    "defaultDimensions": ("parentId",),
    "itemVariants": ("itemId",),
    "dimensionValues": ("dimensionId", "code"),
    "timeRegistrationEntries": ("employeeId",),
    "applyVendorEntries": ("$lineId",),
    "generalLedgerEntries": ("documentNumber", "accountId"),
    "itemLedgerEntries": ("itemNumber", "documentNumber"),
    "customerPayments": ("journalId", "$documentId"),
    "vendorPayments": ("journalId", "$documentId"),
    "journalLines": ("journalId",),
    "salesInvoices": ("number", "externalDocumentNumber", "orderId", "customerNumber", "customerId"),
    "purchaseInvoices": ("number", "vendorInvoiceNumber", "orderId", "vendorNumber"),
}
# Columns that no request sees but an index needs.
HIDDEN = {
    "dimensionSetLines": ("$key",),
    "customerPayments": ("$documentId",),
    "vendorPayments": ("$documentId",),
    "applyVendorEntries": ("$lineId",),
}
_DOCUMENT = ("number", "externalDocumentNumber", "customerNumber", "vendorNumber", "customerId", "vendorId")

PARTY_LEDGER = odata.EntityType(
    "partyLedgerEntry",
    None,
    "id",
    odata.properties(
        odata.Property("id", "Edm.Guid"),
        odata.Property("entryNumber", "Edm.Int32"),
        odata.Property("partyId", "Edm.Guid"),
        odata.Property("documentId", "Edm.Guid"),
        odata.Property("documentNumber"),
        odata.Property("dueDate", "Edm.Date"),
    ),
)
SERIES = odata.EntityType("numberSeries", None, "id", odata.properties(odata.Property("id"), odata.Property("last")))


def key_order(entity_set: EntitySet) -> str:
    """The property that stands first in the primary key of the table behind a set."""
    if entity_set.name in KEY_ORDER:
        return KEY_ORDER[entity_set.name]
    for name in ("sequence", "lineNumber", "entryNumber", "number", "code", "customerNumber", "vendorNumber"):
        if name in entity_set.properties:
            return name
    return entity_set.key


@cache
def entity_types(schema: Schema) -> dict[str, odata.EntityType]:
    """The base's view of each set, the same in every company."""
    return {name: _entity_type(entity_set, schema) for name, entity_set in schema.sets.items()}


def _entity_type(entity_set: EntitySet, schema: Schema) -> odata.EntityType:
    """The store's key is hidden where the published one is unique only in a parent."""
    properties = {
        p.name: odata.Property(p.name, p.edm, max_length=p.max_length) for p in entity_set.properties.values()
    }
    for hidden in HIDDEN.get(entity_set.name, ()):
        properties[hidden] = odata.Property(hidden)
    key = "$key" if entity_set.name == "dimensionSetLines" else entity_set.key
    navigations = {}
    for nav in entity_set.nav.values():
        remote, local = nav.on[0] if nav.on else ("", "")
        navigations[nav.name] = odata.Navigation(
            nav.name,
            schema[nav.target].type,
            column=None if nav.many else local,
            collection=nav.many,
            remote_column=remote if nav.many else None,
            contains_target=nav.contained,
        )
    return odata.EntityType(entity_set.type, entity_set.name, key, properties, navigations)


def same_key(entity_set: EntitySet, column: str, settings: Settings, row: Row) -> BcError:
    caption = "No." if column == "number" else "Code" if column == "code" else "Line No."
    return BcError(
        settings.duplicate_key_status,
        "Internal_EntityWithSameKeyExists",
        f"The record in table {table_caption(entity_set)} already exists. Identification fields and values: "
        f"{caption}='{row[column]}'",
    )


def table_caption(entity_set: EntitySet) -> str:
    """``salesOrderLine`` -> ``Sales Order Line``, as messages name the table."""
    words = "".join(f" {c}" if c.isupper() else c for c in entity_set.type).split()
    return " ".join(word.capitalize() for word in words)


def build(store: Store, schema: Schema, settings: Settings) -> dict[str, Table]:
    """Declare every stored table of a company."""
    tables: dict[str, Table] = {}
    types = entity_types(schema)
    for entity_set in schema.sets.values():
        if entity_set.name in NOT_STORED:
            continue
        order = key_order(entity_set)
        sorts = [(entity_set.modified,)] if entity_set.modified else []
        hashed = [c for c in HASHED.get(entity_set.name, ()) if c in entity_set.properties or c.startswith("$")]
        if (
            not hashed
            and entity_set.name.startswith(("sales", "purchase"))
            and "documentId" not in entity_set.properties
        ):
            hashed = [column for column in _DOCUMENT if column in entity_set.properties]
        if "documentId" in entity_set.properties:
            hashed.append("documentId")
        unique: list[Unique] = []
        column = "number" if "number" in entity_set.properties else "code" if "code" in entity_set.properties else ""
        keyed = entity_set.name not in DERIVED | {"dimensionValues", "itemVariants", "dimensionSetLines"}
        if column and "C" in entity_set.can and keyed:
            unique.append(
                Unique(
                    ("templateDisplayName", column) if entity_set.name == "journals" else (column,),
                    lambda row, e=entity_set, c=column: same_key(e, c, settings, row),  # type: ignore[misc]
                )
            )
            if column not in hashed:
                hashed.append(column)
        elif column and column not in hashed:
            hashed.append(column)
        tables[entity_set.name] = store.table(
            types[entity_set.name], sorted_by=sorts, hashed=hashed, unique=unique, order=(order,)
        )
    tables["$ledger"] = store.table(PARTY_LEDGER, hashed=("partyId", "documentId", "documentNumber"))
    tables["$series"] = store.table(SERIES)
    return tables
