"""From a table to pages: the four ways of reading.

The cursor is a fingerprint of the whole file. Equal: nothing happened. Different: every row is handed
over, since a file does not say which of them changed; weft knows those it has seen and drops them. A
time stamp would be cheaper but is not safe: people edit rows and forget the stamp, and two saves within
one tick of the clock look like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from weft.mapping.document import Mapping
from weft.records import Condition, Page, Query, Record
from weft_csvdir.table import Row, Table, spell, version

_CURSOR = re.compile("[0-9a-f]{32}")


def pages(table: Table, query: Query, size: int) -> Iterator[Page]:
    """The answer to a query."""
    if query.mode == "keys":
        yield Page([record(table, key, query) for key in query.keys if key in table.rows],
                   gone=[key for key in query.keys if key not in table.rows])  # fmt: skip
    elif query.mode == "search":
        yield Page([record(table, key, query) for key, row in table.rows.items() if _found(row, query)])
    elif query.mode == "changes" and query.cursor is not None and not _CURSOR.fullmatch(query.cursor):
        yield Page(expired=True)
    elif query.mode == "changes" and query.cursor in (None, table.print):
        yield Page(cursor=table.print)
    else:
        keys = [key for key, row in table.rows.items() if covered(row, query.mapping)]
        for at in range(0, len(keys), size):
            yield Page([record(table, key, query) for key in keys[at : at + size]], total=len(keys))
        yield Page(cursor=table.print, total=len(keys))  # only now has everything been delivered


def covered(row: Row, mapping: Mapping) -> bool:
    """Does the row satisfy the mapping's ``where``?"""
    for column, wanted in mapping.where.items():
        allowed = wanted if isinstance(wanted, list) else [wanted]
        if row.get(column, "") not in [spell(value) for value in allowed]:
            return False
    return True


def record(table: Table, key: str, query: Query) -> Record:
    """A row as weft sees it. Columns the file does not have are left out: they were not read."""
    row = table.rows[key]
    data: dict[str, Any] = dict(row)
    if query.keys_only:
        data = {}
    elif query.fields is not None:
        data = {name: row[name] for name in query.fields if name in row}
    return Record(
        query.mapping.object.read,
        key,
        data,
        company=query.company,
        version=version(row),
        changed_at=_moment(row.get(query.mapping.changed or "", "")),
    )


def _moment(text: str) -> datetime | None:
    """The time a row says it was changed; None where it says nothing that names a moment."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _found(row: Row, query: Query) -> bool:
    if not covered(row, query.mapping):
        return False
    return any(all(_holds(row, condition) for condition in group) for group in query.search)


def _holds(row: Row, condition: Condition) -> bool:
    """Letters of different case are equal here: weft looks closer at what comes back."""
    cell = row.get(condition.field, "")
    if condition.op == "ne":
        return cell != spell(condition.value)
    ours: Any
    theirs: Any
    if isinstance(condition.value, int | Decimal) and not isinstance(condition.value, bool):
        ours, theirs = _number(cell), Decimal(condition.value)
    else:
        ours, theirs = cell.casefold(), spell(condition.value).casefold()
    if ours is None:
        return False
    match condition.op:
        case "eq":
            return bool(ours == theirs)
        case "startswith":
            return cell.casefold().startswith(spell(condition.value).casefold())
        case "gt":
            return bool(ours > theirs)
        case "ge":
            return bool(ours >= theirs)
        case "lt":
            return bool(ours < theirs)
        case "le":
            return bool(ours <= theirs)


def _number(cell: str) -> Decimal | None:
    try:
        return Decimal(cell)
    except InvalidOperation:
        return None


def written(table: Table, key: str, mapping: Mapping, company: str) -> Record:
    """A row right after it was written."""
    return record(table, key, Query("keys", mapping, company=company))
