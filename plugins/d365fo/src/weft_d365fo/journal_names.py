"""Which journal a line goes into, and whether the names that a flow needs are set up in the environment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.errors import ConfigError
from weft.net.odata.query import Query, eq
from weft.records import Concern

if TYPE_CHECKING:
    from weft.mapping.document import Mapping as Document
    from weft_d365fo.session import FoSession
    from weft_d365fo.settings import JournalNames

NAME = "JournalName"
AGREEMENTS = ("TradeAgreementJournalNames", "TradeAgreementJournalNameId")
OTHERS = ("JournalNames", "Name")


@dataclass(frozen=True, slots=True)
class Kind:
    """The headers of a kind of journals, and how they say what all headers do: ``number`` in the header is ``batch``
    in its lines."""

    headers: str
    number: str = "JournalBatchNumber"
    batch: str = "JournalBatchNumber"
    name: str = NAME
    text: str = "Description"
    posted: str = "IsPosted"


JOURNALS: Mapping[str, Kind] = {
    "CustomerPaymentJournalLines": Kind("CustomerPaymentJournalHeaders"),
    "VendorPaymentJournalLines": Kind("VendorPaymentJournalHeaders"),
    "LedgerJournalLines": Kind("LedgerJournalHeaders"),
    "VendInvoiceJournalLines": Kind("VendInvoiceJournalHeaders"),
    "OpenSalesPriceJournalLinesV2": Kind(
        "TradeAgreementJournalHeaders", "JournalNumber", "TradeAgreementJournalNumber", "TradeAgreementJournalNameId",
        "JournalDescription", "Posted",
    ),
}  # fmt: skip
"""By the set of the lines."""


def usual(object: str, names: JournalNames) -> str:
    """The connection's journal for this kind of lines."""
    return {
        "CustomerPaymentJournalLines": names.customer_payment,
        "VendorPaymentJournalLines": names.vendor_payment,
        "OpenSalesPriceJournalLinesV2": names.sales_price,
    }.get(object, names.general)


async def missing(session: FoSession, company: str, mappings: Sequence[Document]) -> AsyncIterator[Concern]:
    """Names of journals that a flow's new records would go into, and that nobody has set up yet."""
    meta = await session.metadata()
    for (set_, field), name in sorted(_wanted(mappings, session.settings.journals)):
        if set_ not in meta.sets:
            continue
        remedy = "set it up in Finance & Operations, or name another one under `journals` of the connection"
        try:
            rows = await session.rows(set_, Query(select=(field,), filter=eq(field, name)), company)
        except ConfigError as error:
            yield Concern("warning", f"whether there is a journal name {name} in {company} cannot be told: {error}", "")
            continue
        if not rows:
            yield Concern("warning", f"there is no journal name {name} in {company} ({set_})", remedy)


def _wanted(mappings: Sequence[Document], names: JournalNames) -> set[tuple[tuple[str, str], str]]:
    found: set[tuple[tuple[str, str], str]] = set()
    for mapping in mappings:
        object = mapping.object.to_create
        if mapping.read_only or (object not in JOURNALS and object != "LedgerJournalHeaders"):
            continue
        own = _given(mapping.fields) or usual(object, names)
        if own:
            found.add((AGREEMENTS if object == "OpenSalesPriceJournalLinesV2" else OTHERS, own))
    return found


def _given(fields: Mapping[str, Any]) -> str:
    """The name that the mapping itself says."""
    for label in (f"header.{NAME}", NAME):
        field = fields.get(label)
        if field is not None and (field.const or field.default):
            return str(field.const or field.default)
    return ""
