"""Sets that are computed from others: customer figures, ageing, contacts of a party, amounts due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company, rounded
from weft_bc.simulator.rules.ledger import open_entries, refresh_party
from weft_bc.simulator.schema import ZERO_GUID

ZERO = Decimal(0)
PERIOD = 30  # days
SOURCES = {
    "customerFinancialDetails": "customers",
    "agedAccountsReceivables": "customers",
    "agedAccountsPayables": "vendors",
    "contactsInformation": "contacts",
}
_FLOW = frozenset({"customers", "vendors"})


def prepare(co: Company, name: str) -> None:
    """Bring a set up to date before it is read: what fell due since, and what is derived."""
    if name in _FLOW or name in SOURCES:
        _new_day(co)
    source = SOURCES.get(name)
    if source is None:
        return
    table = co.tables[name]
    build = _BUILDERS[name]
    entity_set = co.schema[name]
    if name not in co.filled:
        co.filled.add(name)
        rows: list[Row] = []
        for each in co.tables[source]:
            rows.extend(_complete(co, name, row) for row in build(co, each))
        table.load(rows)
        return
    dirty = co.dirty[source]
    if not dirty:
        return
    for other, other_source in SOURCES.items():
        if other_source != source or other not in co.filled:
            continue
        other_key = co.schema[other].key
        for party_id in dirty:
            party = co.tables[source].get(party_id)
            wanted = {row[other_key]: row for row in _BUILDERS[other](co, party)} if party else {}
            old = co.tables[other].get(party_id)
            if old is not None and party_id not in wanted:
                co.tables[other].delete(party_id)
            for key, row in wanted.items():
                known = co.tables[other].get(key)
                complete = _complete(co, other, row)
                if known is None:
                    co.tables[other].insert(complete)
                elif any(known.get(column) != value for column, value in row.items()):
                    co.tables[other].update(key, {k: v for k, v in complete.items() if k != entity_set.modified})
    dirty.clear()


def _complete(co: Company, name: str, row: dict[str, Any]) -> Row:
    entity_set = co.schema[name]
    co.versions += 1
    return {**entity_set.blanks, **row, "$v": co.versions}


def _new_day(co: Company) -> None:
    """What was not yet due yesterday may be due today."""
    today = co.today
    if co.flow_day == today:
        return
    co.flow_day = today
    parties = {(entry["party"], entry["partyId"]) for entry in co.tables["$ledger"] if entry["open"]}
    for party_set, party_id in parties:
        refresh_party(co, party_set, party_id)


def _local(co: Company, entry: Row, column: str) -> Decimal:
    return Decimal(entry[column]) * co.rate(entry["currencyCode"], entry["postingDate"])


def _financial(co: Company, party: Row) -> list[dict[str, Any]]:
    entries = co.tables["$ledger"].find("partyId", party["id"])
    today = co.today
    still = [entry for entry in entries if entry["open"]]
    return [
        {
            "id": party["id"],
            "number": party["number"],
            "balance": rounded(sum((_local(co, e, "remaining") for e in still), ZERO)) if still else 0,
            "totalSalesExcludingTax": rounded(sum((_local(co, e, "net") for e in entries), ZERO)) if entries else 0,
            "overdueAmount": rounded(sum((_local(co, e, "remaining") for e in still if e["dueDate"] < today), ZERO))
            if still
            else 0,
            "lastModifiedDateTime": party["lastModifiedDateTime"],
        }
    ]


def _ageing(prefix: str) -> Callable[[Company, Row], list[dict[str, Any]]]:
    def build(co: Company, party: Row) -> list[dict[str, Any]]:
        today = co.day()
        buckets: list[Any] = [0, 0, 0, 0]
        for entry in open_entries(co, party["id"]):
            late = (today - dt.date.fromisoformat(entry["dueDate"])).days
            index = 0 if late <= 0 else min((late - 1) // PERIOD + 1, 3)
            buckets[index] += rounded(_local(co, entry, "remaining"))
        row = {
            f"{prefix}Id": party["id"],
            f"{prefix}Number": party["number"],
            "name": party["displayName"],
            "currencyCode": co.lcy,
            "balanceDue": sum(buckets),
            "currentAmount": buckets[0],
            "period1Amount": buckets[1],
            "period2Amount": buckets[2],
            "period3Amount": buckets[3],
            "agedAsOfDate": today.isoformat(),
            "periodLengthFilter": f"{PERIOD}D",
        }
        if prefix == "customer":
            row |= {"period1Label": "1 - 30 days", "period2Label": "31 - 60 days", "period3Label": "Over 60 days"}
        known = co.schema["agedAccountsReceivables" if prefix == "customer" else "agedAccountsPayables"].properties
        return [{key: value for key, value in row.items() if key in known}]

    return build


def _contact(co: Company, contact: Row) -> list[dict[str, Any]]:
    related = contact.get("$relatedId", ZERO_GUID)
    if related == ZERO_GUID:
        return []
    return [
        {
            "contactId": contact["id"],
            "contactNumber": contact["number"],
            "contactName": contact["displayName"],
            "contactType": contact["type"],
            "relatedId": related,
            "relatedType": contact["$relatedType"],
        }
    ]


_BUILDERS: dict[str, Callable[[Company, Row], list[dict[str, Any]]]] = {
    "customerFinancialDetails": _financial,
    "agedAccountsReceivables": _ageing("customer"),
    "agedAccountsPayables": _ageing("vendor"),
    "contactsInformation": _contact,
}
