"""The rows of lines and parts, read for many parents at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from weft.errors import ConfigError
from weft.net.odata.query import Query
from weft.net.odata.rows import Row, plain
from weft.records import Record
from weft_creatio.failures import reading
from weft_creatio.paging import grouped
from weft_creatio.selection import ChildPlan
from weft_creatio.session import CreatioSession
from weft_creatio.values import path_of, stamp

MOST = 5000
"""Rows one answer may hold; a group of parents with more is paged."""


async def attach(session: CreatioSession, plans: Sequence[ChildPlan], records: Sequence[Record]) -> None:
    """Fill in the children of records, for every plan."""
    for plan in plans:
        parents = defaultdict(list)
        for record in records:
            record.children[plan.name] = []
            value = record.data.get(plan.mine) if plan.mine != "Id" else record.key
            if isinstance(value, str) and value.strip("0-"):
                parents[value.lower()].append(record)
        rows = await children(session, plan, list(parents))
        for key, found in rows.items():
            for record in parents.get(key, ()):
                record.children[plan.name] = [child_record(plan, row) for row in found]
    for record in records:
        newest(record)


async def children(session: CreatioSession, plan: ChildPlan, keys: Sequence[str]) -> dict[str, list[Row]]:
    """The rows of these parents: all of them for lines, the one that counts for a part."""
    if not keys:
        return {}
    path = path_of(plan.type, plan.parent)
    queries = [
        Query(select=plan.select, expand=plan.expand, filter=term, orderby=("Id",), top=MOST)
        for term in grouped(keys, path, session.settings.filter_ids, plan.where)
    ]
    found: dict[str, list[Row]] = {}
    for query, rows in zip(queries, await lists(session, plan.object, queries), strict=True):
        while len(rows) % MOST == 0 and rows:
            more = await session.rows(plan.object, query.but(top=MOST, skip=len(rows)))
            rows = [*rows, *more]
            if not more:
                break
        for row in rows:
            found.setdefault(str(row[plan.parent]).lower(), []).append(row)
    if not plan.lines:
        found = {key: [min(rows, key=_precedence)] for key, rows in found.items()}
    return found


async def lists(session: CreatioSession, object: str, queries: Sequence[Query]) -> list[list[Row]]:
    """The first page of each query. :raises EndpointDown, AuthError, ConfigError: one of them failed."""
    urls = [session.client.relative(object, None, query) for query in queries]
    found: list[list[Row]] = []
    for result in await session.gets(urls):
        with reading():
            if result.error is not None:
                raise result.error
        rows = result.body.get("value") if isinstance(result.body, dict) else None
        if not isinstance(rows, list):
            raise ConfigError(f"{session.http.system}: a read of {object} was answered without rows")
        found.append(rows)
    return found


def _precedence(row: Row) -> tuple[bool, bool, str, str]:
    """Of several e-mail addresses the primary one counts, else the oldest that is still used."""
    return (not row.get("Primary"), bool(row.get("NonActual")), str(row.get("CreatedOn") or ""), str(row["Id"]))


def child_record(plan: ChildPlan, row: Row) -> Record:
    return Record(
        plan.object, str(row["Id"]).lower(), plain(row), version=row.get("ModifiedOn"),
        changed_at=stamp(row.get("ModifiedOn")), changed_by=author(row.get("ModifiedById")),
    )  # fmt: skip


def newest(record: Record) -> None:
    """A document was last changed when its newest row was, and by whoever did that: lines of an invoice
    change without moving the invoice's own stamp."""
    for rows in record.children.values():
        for child in rows:
            if child.changed_at and (record.changed_at is None or child.changed_at > record.changed_at):
                record.changed_at, record.changed_by = child.changed_at, child.changed_by


def author(value: Any) -> str | None:
    text = str(value or "").lower()
    return text if text.strip("0-") else None
