"""Financial dimensions of documents and lines: rows of ``dimensionSetLines`` below each, shown as fields.

A mapping's field ``weft.dimension.DEPARTMENT`` stands for the value's code. The service puts in dimensions of its own
(a customer's or item's defaults), so a value is set by looking first at what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weft.net.odata.rows import Row
from weft.net.odata.sending import Answer, Call, Sender
from weft_bc.rows import ETAG
from weft_bc.selection import DIMENSIONS, PREFIX

if TYPE_CHECKING:
    from weft.records import Item

DOCUMENTS = ("salesQuote", "salesOrder", "salesInvoice", "salesCreditMemo", "purchaseOrder", "purchaseInvoice",
             "purchaseCreditMemo")  # fmt: skip
_SETS = frozenset(
    [*(f"{name}s" for name in DOCUMENTS), *(f"{name}Lines" for name in DOCUMENTS), "journalLines", "customerPayments",
     "vendorPayments"]
)  # fmt: skip


def dimensioned(object: str) -> bool:
    """Do rows of an entity set have dimensions that can be written?"""
    return object in _SETS


def named(data: Mapping[str, Any]) -> dict[str, str]:
    """The dimensions among native fields: code of the dimension -> code of the value, '' to take it away."""
    return {
        name.removeprefix(PREFIX): str(value or "").upper() for name, value in data.items() if name.startswith(PREFIX)
    }


def others(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the service itself knows."""
    return {name: value for name, value in data.items() if not name.startswith(PREFIX)}


async def put(sender: Sender, item: Item, path: str, wanted: Mapping[str, str]) -> Answer | None:
    """Make the dimensions of the record at ``path`` so. Returns the answer that was no success, if any.

    Repeating it is harmless: only what differs is sent.
    """
    held: dict[str, Row] = {}
    async for page in sender.client.pages(f"{path}/{DIMENSIONS}", lane=sender.lane):
        held |= {str(row["code"]).upper(): row for row in page.rows}
    for code, value in wanted.items():
        row = held.get(code.upper())
        url = f"{path}/{DIMENSIONS}"
        if row is None and value:
            call = Call(item, "POST", url, {"code": code, "valueCode": value})
        elif row is not None and not value:
            call = Call(item, "DELETE", f"{url}({row['id']})", headers={"If-Match": str(row.get(ETAG) or "*")})
        elif row is not None and str(row["valueCode"]).upper() != value:
            guard = {"If-Match": str(row.get(ETAG) or "*")}
            call = Call(item, "PATCH", f"{url}({row['id']})", {"valueCode": value}, guard)
        else:
            continue
        answer = await sender.send(call)
        if answer.state != "done":
            return answer
    return None
