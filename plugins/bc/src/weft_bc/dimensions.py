"""Financial dimensions: rows below a record, shown as fields.

Documents, their lines and lines of journals have a set of their own (``dimensionSetLines``), customers, vendors and
items the defaults that new documents take over (``defaultDimensions``). A mapping's field
``weft.dimension.DEPARTMENT`` stands for the value's code. The service puts in dimensions of its own (a customer's or
item's defaults), so a value is set by looking first at what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weft.net.odata.query import Query, and_, eq
from weft.net.odata.rows import Row
from weft.net.odata.sending import Answer, Call, Sender
from weft.records import Error
from weft_bc.rows import ETAG
from weft_bc.selection import DEFAULTS, MASTERS, PREFIX, dimension_rows

if TYPE_CHECKING:
    from weft.records import Item
    from weft_bc.session import BcSession

DOCUMENTS = ("salesQuote", "salesOrder", "salesInvoice", "salesCreditMemo", "purchaseOrder", "purchaseInvoice",
             "purchaseCreditMemo")  # fmt: skip
_SETS = MASTERS.union(
    [*(f"{name}s" for name in DOCUMENTS), *(f"{name}Lines" for name in DOCUMENTS), "journalLines", "customerPayments",
     "vendorPayments"]
)  # fmt: skip
NOTHING = "00000000-0000-0000-0000-000000000000"
Names = tuple[dict[str, Any], dict[str, Any]]
"""What names a dimension in a body, and what names its value."""
FREE = "_x0020_"
"""How the service says that a default dimension demands nothing of what is posted."""


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


async def put(
    session: BcSession, sender: Sender, item: Item, object: str, key: str, wanted: Mapping[str, str]
) -> Answer | None:
    """Make the dimensions of a record so. Returns the answer that was no success, if any.

    Repeating it is harmless: only what differs is sent.
    """
    where = dimension_rows(object)
    url = f"{session.path(item.company, (object, session.key(key)))}/{where.nav}"
    held: dict[str, Row] = {}
    async for page in sender.client.pages(url, lane=sender.lane):
        held |= {str(row[where.code]).upper(): row for row in page.rows}
    for code, value in wanted.items():
        row = held.get(code.upper())
        if value == (str(row[where.value]).upper() if row is not None else ""):
            continue
        guard = {"If-Match": str(row.get(ETAG) or "*")} if row is not None else {}
        if row is not None and not value and row.get("postingValidation", FREE) == FREE:
            call = Call(item, "DELETE", f"{url}({row['id']})", headers=guard)
        else:
            names: Names | Error = ({"code": code}, {"valueCode": value})
            if where is DEFAULTS:
                names = await _by_ids(session, item.company, code, value)
            if isinstance(names, Error):
                return Answer("refused", error=names)
            which, what = names
            if row is None:
                call = Call(item, "POST", url, which | what)
            else:
                call = Call(item, "PATCH", f"{url}({row['id']})", what, guard)
        answer = await sender.send(call)
        if answer.state != "done":
            return answer
    return None


async def _by_ids(session: BcSession, company: str, code: str, value: str) -> Names | Error:
    """Dimension and value as default dimensions name them; why not, should one of them be unknown."""
    dimension = await session.dimension(company, code)
    if dimension is None:
        words = f"Business Central has no dimension {code}; see `dimensions` of the connection"
        return Error("configuration", words, code="no_dimension")
    if not value:  # what has to be there stays, without its value
        return {"dimensionId": dimension}, {"dimensionValueId": NOTHING}
    query = Query(select=("id", "code"), filter=and_(eq("dimensionId", session.key(dimension)), eq("code", value)))
    async for page in session.client.pages(session.path(company, "dimensionValues"), query):
        for row in page.rows:
            return {"dimensionId": dimension}, {"dimensionValueId": str(row["id"])}
    return Error("record", f"Business Central has no value {value} of the dimension {code}", code="no_dimension_value")
