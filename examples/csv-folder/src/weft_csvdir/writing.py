"""From one item to one outcome: what a create, an update and a delete do to the table."""

from __future__ import annotations

import uuid
from datetime import datetime

from weft.records import Error, Item, Outcome
from weft_csvdir.reading import written
from weft_csvdir.table import LONGEST, Row, Table, spell, version


def write(table: Table, item: Item, now: datetime) -> Outcome:
    """Carry out one item. Never raises: what is wrong with it is in the outcome's error."""
    wrong = _refusal(table, item)
    if wrong is not None:
        return Outcome(item.id, "rejected", key=item.key, error=wrong)
    if item.op == "create":
        return _create(table, item, now)
    row = table.rows.get(item.key or "")
    if row is None and item.op == "delete":
        return Outcome(item.id, "deleted", key=item.key)
    if row is None:
        return _conflict(item, f"{table.name}: there is no row {item.key!r} any more")
    if item.version is not None and item.version != version(row):
        return _conflict(item, f"{table.name}: the row {item.key!r} has changed since it was read")
    if item.op == "delete":
        del table.rows[row[table.key]]
        return Outcome(item.id, "deleted", key=item.key)
    cells = {column: spell(value) for column, value in item.data.items()}
    if cells.items() <= row.items():
        return _outcome(table, item, "unchanged", row[table.key])
    row.update(cells)
    _stamp(table, item, row, now)
    return _outcome(table, item, "updated", row[table.key])


def _create(table: Table, item: Item, now: datetime) -> Outcome:
    cells = {column: spell(value) for column, value in item.data.items()}
    key = item.key or cells.get(table.key) or str(uuid.uuid4())
    there = table.rows.get(key)
    if there is not None:
        # A key that weft chose, or a row that holds all we would write: an earlier try got through.
        ours = key in (item.key, item.own_key) or cells.items() <= there.items()
        if ours:
            return _outcome(table, item, "created", key)
        words = f"{table.name}: the key {key!r} is taken by another row"
        return Outcome(item.id, "rejected", error=Error("record", words, "duplicate", table.key))
    row = {column: cells.get(column, "") for column in table.columns} | {table.key: key}
    _stamp(table, item, row, now)
    table.rows[key] = row
    return _outcome(table, item, "created", key)


def _refusal(table: Table, item: Item) -> Error | None:
    """Why an item cannot be written at all."""
    if item.children or item.actions or item.op == "action":
        return Error("configuration", "a row of a CSV file has no lines and knows no actions", "unsupported")
    for column, value in item.data.items():
        if column not in table.columns:
            words = f"{table.name}: has no column {column!r}; add it, or take it out of the mapping"
            return Error("configuration", words, "no_column", column)
        if len(spell(value)) > LONGEST:
            words = f"the text has {len(spell(value))} characters, a cell takes {LONGEST}"
            return Error("record", words, "too_long", column)
    renamed = item.op == "update" and spell(item.data.get(table.key, item.key)) != item.key
    if renamed:
        words = f"{table.key!r} is the key of the row and cannot be changed"
        return Error("record", words, "key_changed", table.key)
    return None


def _stamp(table: Table, item: Item, row: Row, now: datetime) -> None:
    changed = item.mapping.changed
    if changed in table.columns:
        row[changed] = spell(now)


def _conflict(item: Item, words: str) -> Outcome:
    return Outcome(item.id, "conflict", key=item.key, error=Error("record", words, "stale"))


def _outcome(table: Table, item: Item, result: str, key: str) -> Outcome:
    record = written(table, key, item.mapping, item.company)
    return Outcome(item.id, result, key=key, version=record.version, company=item.company, record=record)  # type: ignore[arg-type]
