"""Compare-before-write: Creatio has no ETags, so the rows of a batch are read right before it is sent.

A change that lands in the moments between this read and the write is overwritten; README.md says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from weft.net.odata.query import Query
from weft.net.odata.rows import Row
from weft.records import Error
from weft_creatio.base_currency import RATES
from weft_creatio.children import children, lists
from weft_creatio.lines import currency_columns, is_paid, needs_line
from weft_creatio.paging import grouped
from weft_creatio.preparing import Job, Line
from weft_creatio.selection import ChildPlan, where_term
from weft_creatio.session import CreatioSession
from weft_creatio.values import same_stamp


async def held(session: CreatioSession, object: str, ids: Iterable[str], select: Iterable[str]) -> dict[str, Row]:
    """Rows by Id, as they are now; those that are missing are left out."""
    columns = tuple(dict.fromkeys(("Id", *select)))
    limit = session.settings.filter_ids
    queries = [Query(select=columns, filter=term, top=limit) for term in grouped(list(dict.fromkeys(ids)), "Id", limit)]
    return {str(row["Id"]).lower(): row for rows in await lists(session, object, queries) for row in rows}


async def check(session: CreatioSession, jobs: Iterable[Job]) -> dict[str, Row]:
    """Compare the version of every row to be changed; stale jobs get the outcome ``conflict``.

    Returns rows as they are, by Id, where amounts depend on them: of lines, of documents that are paid, of rates.
    """
    open_jobs = [job for job in jobs if job.outcome is None]
    found: dict[str, Row] = {}
    by_object: dict[str, list[Job]] = {}
    for job in open_jobs:
        by_object.setdefault(job.object, []).append(job)
    for object, group in by_object.items():
        versions = {job.item.mapping.version for job in group if job.item.mapping.version}
        select = sorted(version for version in versions if version)
        if any(is_paid(job.data, job.type) for job in group):
            select += ["CurrencyId", "CurrencyRate"]
        if object == RATES:
            select.append("CurrencyId")
        if any(job.lines for job in group):
            select += currency_columns(group[0].type, session.settings.prefix)
        rows = await held(session, object, [job.key for job in group], select)
        found.update(rows)
        for job in group:
            _compare(job, rows.get(job.key), job.item.version, job.item.mapping.version, job.object)
    lines: dict[str, list[tuple[Job, Line]]] = {}
    for job in open_jobs:
        for line in job.lines:
            if job.outcome is None and line.op != "create":
                lines.setdefault(line.object, []).append((job, line))
    for object, pairs in lines.items():
        type_ = pairs[0][1].type
        select = ["ModifiedOn"]
        if any(needs_line(line.data, type_, session.settings.prefix) for _, line in pairs):
            select += [name for name, one in type_.properties.items() if one.type in ("Edm.Decimal", "Edm.Int32")]
            select += [name for name in ("CurrencyId", "TaxId") if name in type_.properties]
        rows = await held(session, object, [line.key for _, line in pairs], select)
        found.update(rows)
        for job, line in pairs:
            if line.op == "delete" and line.key not in rows:
                continue  # gone already
            _compare(job, rows.get(line.key), line.version, "ModifiedOn", object)
    return found


def _compare(job: Job, row: Row | None, version: str | None, column: str | None, object: str) -> None:
    if job.outcome is not None:
        return
    if row is None:
        if job.item.op != "delete":
            job.fail("conflict", Error("record", f"the row of {object} is no longer there, or hidden by rights"))
    elif version is not None and column is not None and not same_stamp(row.get(column), version):
        told = f"{object} was changed at {row.get(column)}, after it was read ({version})"
        job.fail("conflict", Error("record", told))


async def part_rows(session: CreatioSession, jobs: Iterable[Job]) -> None:
    """Find the row each part has already, and decide what is to be done to it."""
    wanted: dict[tuple[str, str], list[tuple[Job, Line]]] = {}
    for job in jobs:
        for line in job.parts:
            if job.outcome is None:
                wanted.setdefault((line.object, line.name), []).append((job, line))
    for (object, name), pairs in wanted.items():
        job, line = pairs[0]
        part = job.item.mapping.parts[name]
        theirs = next(iter(part.join))
        select = [column for column in ("Id", theirs, "Primary", "NonActual", "CreatedOn")
                  if column in line.type.properties]  # fmt: skip
        plan = ChildPlan(name, object, line.type, theirs, "Id", tuple(select), where_term(part.where, line.type), False)
        rows = await children(session, plan, [job.key for job, _ in pairs])
        for job, line in pairs:
            there = rows.get(job.key)
            keep = [] if there is None and (line.op == "delete" or not part.create) else [line]
            if there is not None:
                line.key = str(there[0]["Id"]).lower()
            elif keep:
                line.op = "create"
            job.parts = [one for one in job.parts if one is not line] + [replace(one) for one in keep]
