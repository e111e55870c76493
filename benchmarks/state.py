"""How fast the state is: inserts, look-ups and settling, on SQLite and (with a URL) PostgreSQL.

    python benchmarks/state.py [--rows 50000] [--postgresql postgresql+psycopg://user@host/empty_database]

Prints microseconds a row and, as the floor of each line, the same work in the bare driver where that
is meaningful: one ``executemany`` or ``SELECT`` without SQLAlchemy on the same file.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from weft.model.values import encode
from weft.state import Entry, Intent, Issue, Link, Run, State

NOW = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
BATCH = 1000
BASE = encode(
    {f"field_{n}": f"Contoso value {n}" for n in range(20)}
    | {"credit_limit": Decimal("12500.00"), "address.postal_code": "1010", "phone": None}
)
results: dict[str, float] = {}


@contextmanager
def timed(what: str, rows: int) -> Iterator[None]:
    start = time.perf_counter()
    yield
    results[what] = (time.perf_counter() - start) / rows * 1e6
    print(f"  {what:<58}{results[what]:9.2f} us/row {1e6 / results[what]:12,.0f} rows/s")


def batches(rows: int) -> Iterator[range]:
    return (range(n, min(n + BATCH, rows)) for n in range(0, rows, BATCH))


def link(n: int) -> Link:
    return Link(
        "customer", "crm", "Account", str(uuid.UUID(int=n)), "erp", "CustomersV3", f"C{n:08}", NOW, NOW,
        right_company="usmf", left_base=BASE, right_base=BASE, left_print="0123456789abcdef",
        right_print="fedcba9876543210", left_version=f'W/"{n}"', right_version=f'W/"{n}"',
        left_changed_at=NOW, right_changed_at=NOW,
    )  # fmt: skip


async def run(state: State, rows: int) -> None:
    links = [link(n) for n in range(rows)]
    keys = [x.left_key for x in links]
    with timed("links.insert_many, a transaction a thousand", rows):
        for part in batches(rows):
            await state.write(lambda tx, p=part: tx.links.insert_many(links[p.start : p.stop]))
    found = 0
    with timed("links.heads: the no-change path", rows):
        for part in batches(rows):
            read = keys[part.start : part.stop]
            found += len(
                await state.read(lambda tx, k=read: tx.links.heads("customer", "crm", "erp", "left", "Account", "", k))
            )
    assert found == rows, found
    with timed("links.by_keys: with bases", rows):
        for part in batches(rows):
            read = keys[part.start : part.stop]
            await state.read(lambda tx, k=read: tx.links.by_keys("customer", "crm", "erp", "left", "Account", "", k))
    with timed("links.translate: references", rows):
        for part in batches(rows):
            refs = [("Account", k) for k in keys[part.start : part.stop]]
            await state.read(lambda tx, r=refs: tx.links.translate("customer", "crm", "erp", r, to_company="usmf"))
    with timed("links.update_many: whole rows", rows):
        for part in batches(rows):
            await state.write(lambda tx, p=part: tx.links.update_many(links[p.start : p.stop]))
    with timed("links.set_many: prints and versions", rows):
        for part in batches(rows):
            changes = [{"id": x.id, "left_print": "x", "left_version": "y"} for x in links[part.start : part.stop]]
            await state.write(lambda tx, c=changes: tx.links.set_many(c))
    await state.write(lambda tx: tx.runs.start(Run("r", "customers", "sync", NOW)))
    moved = {"name": {"from": "Contoso", "to": "Contoso Ltd.", "base": "Contoso", "rule": "only left moved"}}
    with timed("journal.append_many: hash-chained", rows):
        for part in batches(rows):
            entries = [
                Entry(NOW, "customers", "customer", "update", "updated", side="right", link_id=links[n].id,
                      left_key=keys[n], right_key=links[n].right_key, fields=moved)
                for n in part
            ]  # fmt: skip
            await state.write(lambda tx, e=entries: tx.journal.append_many("r", e))
    with timed("journal.verify_chain", rows):
        check = await state.read(lambda tx: tx.journal.verify_chain("r"))
    assert check.ok, check
    some = rows // 5
    with timed("intents: open, mark sent, close in three transactions", some):
        for part in batches(some):
            intents = [
                Intent(f"i{n}", "customers", "r", "customer", "right", "erp", "CustomersV3", "create",
                       keys[n], NOW, payload={"name": "Contoso", "credit_limit": Decimal("1.10")})
                for n in part
            ]  # fmt: skip
            ids = [i.id for i in intents]
            await state.write(lambda tx, i=intents: tx.intents.open_many(i))
            await state.write(lambda tx, i=ids: tx.intents.mark_sent(i, NOW))
            await state.write(lambda tx, i=ids: tx.intents.close_many([(x, "done", "C1") for x in i]))
    for what in ("opened", "renewed"):
        with timed(f"issues.upsert_many: {what}", some):
            for part in batches(some):
                issues = [
                    Issue("customers", "customer", "failed", NOW, NOW, side="left", connection="crm",
                          object="Account", key=keys[n], reason="Credit limit is too high",
                          error={"fault": "record", "message": "no"})
                    for n in part
                ]  # fmt: skip
                await state.write(lambda tx, i=issues: tx.issues.upsert_many(i))
    with timed("one small write a transaction (latency)", 300):
        for n in range(300):
            await state.write(lambda tx, n=n: tx.intents.note("i1", f"line:{n}", "k", None, NOW))


def floor(path: Path, keys: list[str]) -> None:
    """The same key look-up in the bare sqlite3 module."""
    import orjson

    query = (
        "SELECT id, left_key, left_print, left_version, state FROM links WHERE entity='customer' AND "
        "left_connection='crm' AND right_connection='erp' AND left_object='Account' AND left_company='' "
        "AND left_key IN (SELECT value FROM json_each(?))"
    )
    with sqlite3.connect(path) as bare, timed("floor: that SELECT in bare sqlite3", len(keys)):
        for part in batches(len(keys)):
            bare.execute(query, (orjson.dumps(keys[part.start : part.stop]).decode(),)).fetchall()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--postgresql", metavar="URL", help="an empty database")
    given = parser.parse_args()
    measure: Callable[[State], None] = lambda state: asyncio.run(run(state, given.rows))  # noqa: E731
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weft.db"
        print(f"SQLite, {given.rows} rows, batches of {BATCH}")
        with State.open(f"sqlite:///{path}") as state:
            measure(state)
        floor(path, [str(uuid.UUID(int=n)) for n in range(given.rows)])
        ratio = results["links.heads: the no-change path"] / results["floor: that SELECT in bare sqlite3"]
        print(f"  links.heads / bare sqlite3 = {ratio:.2f}")
        print(f"  file: {path.stat().st_size / given.rows:.0f} bytes a link with its journal entry")
    if given.postgresql:
        print(f"PostgreSQL, {given.rows} rows, batches of {BATCH}")
        with State.open(given.postgresql) as state:
            measure(state)


if __name__ == "__main__":
    main()
