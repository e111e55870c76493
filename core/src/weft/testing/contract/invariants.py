"""What no page may ever do, whatever was asked: looked at on every page of every check."""

from __future__ import annotations

from typing import Any

from weft.records import Page, Query, Record

LONGEST_CURSOR = 8000
"""Characters of a cursor that core stores."""


def violation(query: Query, page: Page) -> str | None:
    """What is wrong with a page, in words; None when nothing is."""
    if not isinstance(page, Page):
        return f"yields {type(page).__name__}, not weft.records.Page"
    if page.cursor is not None:
        if not isinstance(page.cursor, str):
            return f"the cursor is a {type(page.cursor).__name__}, not a text"
        if len(page.cursor) > LONGEST_CURSOR:
            return f"the cursor has {len(page.cursor)} characters, more than {LONGEST_CURSOR}"
    if query.mode != "keys" and (page.gone or page.moved or page.invisible):
        return "reports gone, moved or invisible; only a keys read may (a changes read may report suspects)"
    if query.mode != "changes" and page.suspects:
        return "reports suspects; only a changes read may"
    for record in page.records:
        wrong = _record(record)
        if wrong:
            return wrong
    return None


def _record(record: Record) -> str | None:
    if not isinstance(record.key, str) or not record.key:
        return f"a record of {record.object} has the key {record.key!r}; a key is a text that is not empty"
    if record.version is not None and not isinstance(record.version, str):
        return f"the version of {record.key} is a {type(record.version).__name__}, not a text"
    if record.changed_at is not None and record.changed_at.tzinfo is None:
        return f"changed_at of {record.key} has no time zone"
    name = _float(record.data)
    if name is not None:
        return f"{name} of {record.key} is a binary float; numbers with a fraction arrive as Decimal"
    for rows in record.children.values():
        for row in rows:
            wrong = _record(row)
            if wrong:
                return wrong
    return None


def _float(value: Any, name: str = "") -> str | None:
    if isinstance(value, float):
        return name
    if isinstance(value, dict):
        inner = ((f"{name}.{key}".lstrip("."), one) for key, one in value.items())
    elif isinstance(value, list | tuple):
        inner = ((f"{name}[{index}]", one) for index, one in enumerate(value))
    else:
        return None
    return next((found for label, one in inner if (found := _float(one, label)) is not None), None)
