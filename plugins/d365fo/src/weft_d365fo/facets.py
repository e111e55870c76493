"""Fields that the connector makes from one the environment has: ``AccountDisplayValue.customer``.

A dimension field holds several values in one text; what an account field means depends on the account's type; a
party number or an invoice number stands for a record that other systems refer to by its key. The part after the
dot says what is wanted: a dimension (``business_unit``, ``department``, ``cost_centre``, ``project``), the
``main_account``, the ``customer``, ``vendor`` or ``bank_account`` of an account, or a record looked up by number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.net.odata.query import Query, any_of
from weft_d365fo.dimensions import MAIN_ACCOUNT, Formats
from weft_d365fo.keys import KeyShape
from weft_d365fo.values import Unaskable

if TYPE_CHECKING:
    from weft.net.odata.metadata import Property
    from weft.net.odata.rows import Row
    from weft_d365fo.session import FoSession

TERMS = 40
ACCOUNT_TYPES = {"customer": "Cust", "vendor": "Vend", "bank_account": "Bank"}
ACCOUNT = "AccountDisplayValue"
TYPE_FIELDS = {ACCOUNT: "AccountType", "OffsetAccountDisplayValue": "OffsetAccountType"}
_LEDGER = frozenset([*TYPE_FIELDS, "MainAccountDisplayValue", "MainAccountIdDisplayValue"])


@dataclass(frozen=True, slots=True)
class Lookup:
    """The record of ``object`` whose ``field`` holds the value, and whose ``account`` is that of the row: vendors
    number their invoices themselves, and two may use one number."""

    object: str
    field: str
    account: str = ""


LOOKUPS: Mapping[tuple[str, str], Lookup] = {
    ("AssociatedPartyNumber", "customer"): Lookup("CustomersV3", "PartyNumber"),
    ("AssociatedPartyNumber", "vendor"): Lookup("VendorsV2", "VendorPartyNumber"),
    ("MarkedInvoice", "sales_invoice"): Lookup("FreeTextInvoiceHeaders", "FreeTextNumber"),
    ("MarkedInvoice", "posted_invoice"): Lookup("SalesInvoiceHeadersV2", "InvoiceNumber"),
    ("MarkedInvoice", "bill"): Lookup("VendInvoiceJourBiEntities", "InvoiceId", "InvoiceAccount"),
    ("InvoiceNumber", "sales_invoice"): Lookup("FreeTextInvoiceHeaders", "FreeTextNumber"),
    ("InvoiceNumber", "posted_invoice"): Lookup("SalesInvoiceHeadersV2", "InvoiceNumber"),
    ("InvoiceNumber", "bill"): Lookup("VendInvoiceJourBiEntities", "InvoiceId", "InvoiceAccount"),
}


class Unresolved(ValueError):
    """A reference that the environment has no number for yet."""


def parts(name: str) -> tuple[str, str] | None:
    """(field, facet) of a made field; None for one the environment has."""
    field, dot, facet = name.partition(".")
    return (field, facet) if dot else None


def offered(prop: Property, dimensions: Mapping[str, str], object: str = "") -> list[str]:
    """The facets of a field. Of invoices' numbers only those that a payment names are looked up."""
    looked = prop.name != "InvoiceNumber" or object.endswith("SettledInvoices")
    found = [facet for field, facet in LOOKUPS if field == prop.name and looked]
    if prop.name in _LEDGER:
        found += ["main_account", *(ACCOUNT_TYPES if prop.name in TYPE_FIELDS else ()), *dimensions]
    elif prop.name.endswith("DisplayValue") and "Dimension" in prop.name:
        found += dimensions
    return found


def sources(names: Iterable[str]) -> list[str]:
    """Fields that must be read for these made ones."""
    found: list[str] = []
    for name in names:
        both = parts(name)
        if both is not None:
            found += [both[0], *([TYPE_FIELDS[both[0]]] if both[0] in TYPE_FIELDS else ())]
            if both in LOOKUPS and LOOKUPS[both].account:
                found.append(ACCOUNT)
    return list(dict.fromkeys(found))


# -- reading ---------------------------------------------------------------------------------------


async def derive(session: FoSession, company: str, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Add the made fields to rows that have their sources; a source that was not read leaves them out."""
    for name in names:
        both = parts(name)
        if both is None or not rows:
            continue
        field, facet = both
        lookup = LOOKUPS.get(both)
        if lookup is not None:
            await _found(session, company, lookup, name, field, rows)
            continue
        formats = await session.formats()
        for row in rows:
            if field in row:
                row[name] = await _facet(session, company, formats, field, facet, row)


async def _facet(session: FoSession, company: str, formats: Formats, field: str, facet: str, row: Row) -> str | None:
    text = str(row[field] or "")
    if not text:
        return None
    account = row.get(TYPE_FIELDS.get(field, ""), "Ledger")
    if facet in ACCOUNT_TYPES:
        return "".join(formats.pieces(text)[:1]) if account == ACCOUNT_TYPES[facet] else None
    if field in _LEDGER and account != "Ledger":
        return None
    values = formats.split("ledger" if field in _LEDGER else "default", text)
    if facet == "main_account":
        number = values.get(MAIN_ACCOUNT.casefold())
        return await _account_key(session, company, number) if number else None
    name = session.settings.dimensions.facets().get(facet, facet)
    return values.get(name.casefold()) or None


async def _account_key(session: FoSession, company: str, number: str) -> str:
    shape = KeyShape.of(await session.type_of("MainAccounts"))
    return shape.spell({"ChartOfAccounts": await session.chart(company), "MainAccountId": number})


async def _found(session: FoSession, company: str, lookup: Lookup, name: str, field: str, rows: Sequence[Row]) -> None:
    wanted = list(dict.fromkeys(str(row[field]) for row in rows if row.get(field)))
    shape = KeyShape.of(await session.type_of(lookup.object))
    keys: dict[str, dict[str, str]] = {}
    extra = (lookup.account,) if lookup.account else ()
    for at in range(0, len(wanted), TERMS):
        query = Query(
            select=(*shape.fields, lookup.field, *extra), filter=any_of(lookup.field, wanted[at : at + TERMS])
        )
        for one in await session.rows(lookup.object, query, company):
            account = str(one.get(lookup.account) or "").casefold()
            keys.setdefault(str(one[lookup.field]).casefold(), {}).setdefault(account, shape.spell(one))
    formats = await session.formats() if lookup.account and wanted else None
    for row in rows:
        if field in row:
            found = keys.get(str(row[field]).casefold(), {}) if row[field] else {}
            account = "".join(formats.pieces(str(row.get(ACCOUNT) or ""))[:1]).casefold() if formats else ""
            row[name] = found.get(account) if account else next(iter(found.values())) if len(found) == 1 else None


# -- writing ---------------------------------------------------------------------------------------


def made(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The made fields in a record's data, by the field they are made from."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in data.items():
        both = parts(name)
        if both is not None:
            found.setdefault(both[0], {})[both[1]] = value
    return found


async def resolve(
    session: FoSession, company: str, data: Mapping[str, Any], current: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Data with the made fields put together. ``current``: the record as it is, of which the segments not
    mentioned stay.

    :raises Unresolved: a record referred to has no number yet.
    """
    result = {name: value for name, value in data.items() if parts(name) is None}
    for field, facets in made(data).items():
        lookups = {facet: value for facet, value in facets.items() if (field, facet) in LOOKUPS}
        if lookups:
            result[field] = await _number(session, company, field, lookups)
        else:
            result[field] = await _text(session, field, facets, current)
    return result


async def _number(session: FoSession, company: str, field: str, facets: Mapping[str, Any]) -> str:
    for facet, key in facets.items():
        if key is None:
            continue
        lookup = LOOKUPS[field, facet]
        meta = await session.metadata()
        shape = KeyShape.of(await session.type_of(lookup.object))
        query = Query(select=(*shape.fields, lookup.field), filter=shape.term(str(key), meta))
        rows = await session.rows(lookup.object, query, company)
        number = str(rows[0].get(lookup.field) or "") if rows else ""
        if not number:
            state = f"has no {lookup.field} yet" if rows else "is not there"
            raise Unresolved(f"{field} wants the {lookup.field} of {lookup.object} {key}, which {state}")
        return number
    return ""


async def _text(session: FoSession, field: str, facets: Mapping[str, Any], current: Mapping[str, Any] | None) -> str:
    formats = await session.formats()
    for facet in ACCOUNT_TYPES:
        if facets.get(facet) is not None:
            return formats.escape(str(facets[facet]))
    kind = "ledger" if field in _LEDGER else "default"
    now = str((current or {}).get(field) or "")
    if (current or {}).get(TYPE_FIELDS.get(field, ""), "Ledger") != "Ledger":
        now = ""
    names = session.settings.dimensions.facets()
    values = formats.split(kind, now) if now else {}
    for facet, value in facets.items():
        if facet in ACCOUNT_TYPES:
            continue
        if facet == "main_account":
            values[MAIN_ACCOUNT.casefold()] = await _account_number(session, value)
        else:
            values[names.get(facet, facet).casefold()] = "" if value is None else str(value)
    return formats.join(kind, values) if any(values.values()) else ""


async def _account_number(session: FoSession, key: Any) -> str:
    if key is None:
        return ""
    shape = KeyShape.of(await session.type_of("MainAccounts"))
    try:
        return str(shape.parse(str(key), await session.metadata())["MainAccountId"])
    except Unaskable:
        return str(key)  # a number written into the configuration
