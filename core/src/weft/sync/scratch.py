"""Disk-backed staging for the first load and for ``verify``, so that memory stays flat.

A private SQLite file that lives as long as the run. It holds records in canonical form, and their
match values, which are joined in SQL.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from weft.model.values import decode, encode
from weft.records import Canonical, Record
from weft.sync.work import Caught

_SCHEMA = """
CREATE TABLE staged (
  id INTEGER PRIMARY KEY, side TEXT, connection TEXT, company TEXT, variant TEXT, key TEXT, body TEXT,
  marked INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX staged_key ON staged (side, connection, company, variant, key);
CREATE TABLE found (
  side TEXT, connection TEXT, company TEXT, variant TEXT, rule TEXT, value TEXT, staged INTEGER
);
CREATE INDEX found_value ON found (side, rule, value);
CREATE INDEX found_staged ON found (staged);
"""
_SEPARATOR = "\x1f"
FEW = 10
"""So many candidates are enough to call a record ambiguous."""


class Place(NamedTuple):
    """Where staged records come from."""

    side: str
    connection: str
    company: str
    variant: str


class Scratch:
    """Use as a context manager; the file is removed at the end."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="weft-")
        self._db = sqlite3.connect(
            Path(self._folder.name) / "scratch.db", isolation_level=None, check_same_thread=False
        )
        self._last = 0
        self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _SCHEMA)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        self._folder.cleanup()

    def put(
        self,
        place: Place,
        caught: Sequence[Caught],
        values: Sequence[Sequence[tuple[tuple[str, ...], tuple[str, ...]]]] = (),
    ) -> None:
        """Stage records; ``values`` are (rule, match value) pairs of each. A repeat replaces the first."""
        newest = {one.record.key: index for index, one in enumerate(caught)}  # a page may repeat a key itself
        known = self._ids(place, list(newest))
        db = self._db
        db.execute("BEGIN")
        if known:
            ids = json.dumps(list(known.values()))
            db.execute("DELETE FROM found WHERE staged IN (SELECT value FROM json_each(?))", (ids,))
            db.execute("DELETE FROM staged WHERE id IN (SELECT value FROM json_each(?))", (ids,))
        following = self._last + 1
        rows = []
        matches = []
        for id_, (key, index) in enumerate(newest.items(), following):
            rows.append((id_, *place, key, write_caught(caught[index])))
            if values:
                for rule, value in values[index]:
                    matches.append((*place, _SEPARATOR.join(rule), _SEPARATOR.join(value), id_))
        db.executemany(
            "INSERT INTO staged (id, side, connection, company, variant, key, body) VALUES (?,?,?,?,?,?,?)", rows
        )
        db.executemany("INSERT INTO found VALUES (?,?,?,?,?,?,?)", matches)
        db.execute("COMMIT")
        self._last += len(rows)

    def _ids(self, place: Place, keys: list[str]) -> dict[str, int]:
        """Row ids of the keys that are staged already."""
        return dict(
            self._db.execute(
                "SELECT key, id FROM staged WHERE side=? AND connection=? AND company=? AND variant=? "
                "AND key IN (SELECT value FROM json_each(?))",
                (*place, json.dumps(keys)),
            ).fetchall()
        )

    def mark(self, place: Place, keys: Sequence[str]) -> None:
        """Remember records as dealt with."""
        self._db.execute(
            "UPDATE staged SET marked=1 WHERE side=? AND connection=? AND company=? AND variant=? "
            "AND key IN (SELECT value FROM json_each(?))",
            (*place, json.dumps(list(keys))),
        )

    def pages(self, place: Place, size: int, *, unmarked: bool = False) -> Iterator[list[Caught]]:
        """Staged records of one place, in the order they came; all of them, or those never marked."""
        last = 0
        while True:
            rows = self._db.execute(
                "SELECT id, body FROM staged WHERE side=? AND connection=? AND company=? AND variant=? "
                "AND id>? AND marked<=? ORDER BY id LIMIT ?",
                (*place, last, int(not unmarked), size),
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [read_caught(body) for _, body in rows]

    def get(self, place: Place, keys: Sequence[str]) -> dict[str, Caught]:
        """Staged records by key."""
        found: dict[str, Caught] = {}
        for at in range(0, len(keys), 500):
            batch = list(keys[at : at + 500])
            for key, body in self._db.execute(
                "SELECT key, body FROM staged WHERE side=? AND connection=? AND company=? AND variant=? "
                "AND key IN (SELECT value FROM json_each(?))",
                (*place, json.dumps(batch)),
            ):
                found[key] = read_caught(body)
        return found

    def matching(
        self, places: Sequence[Place], rule: tuple[str, ...], values: Iterable[tuple[str, ...]]
    ) -> dict[tuple[str, ...], list[Caught]]:
        """Staged records of these places by match value; of each value the first few of a place."""
        asked = {_SEPARATOR.join(value): value for value in values}
        found: dict[tuple[str, ...], list[Caught]] = defaultdict(list)
        for place in places if asked else ():
            rows = self._db.execute(
                "WITH hits AS (SELECT value, staged, row_number() OVER (PARTITION BY value ORDER BY staged) AS nth "
                "FROM found WHERE side=? AND rule=? AND value IN (SELECT value FROM json_each(?)) "
                "AND connection=? AND company=? AND variant=?) "
                "SELECT h.value, s.body FROM hits h JOIN staged s ON s.id = h.staged WHERE nth <= ? ORDER BY s.id",
                (place.side, _SEPARATOR.join(rule), json.dumps(list(asked)), *place[1:], FEW),
            )
            for value, body in rows:
                found[asked[value]].append(read_caught(body))
        return dict(found)

    def rivals(self, side: str, rule: tuple[str, ...], value: tuple[str, ...], key: str) -> list[str]:
        """Keys of other records of one side with the same match value."""
        rows = self._db.execute(
            "SELECT DISTINCT s.key FROM found f JOIN staged s ON s.id = f.staged WHERE f.side=? AND f.rule=? "
            "AND f.value=? AND s.key<>? LIMIT 10",
            (side, _SEPARATOR.join(rule), _SEPARATOR.join(value), key),
        )
        return [found for (found,) in rows]

    def count(self, place: Place) -> int:
        row = self._db.execute(
            "SELECT count(*) FROM staged WHERE side=? AND connection=? AND company=? AND variant=?", place
        )
        return int(row.fetchone()[0])


def write_caught(caught: Caught) -> str:
    """A mapped record as text, without what its system sent. See :func:`read_caught`."""
    record, canonical = caught.record, caught.canonical
    body: dict[str, Any] = {
        "o": record.object,
        "k": record.key,
        "c": record.company,
        "v": record.version,
        "t": record.changed_at,
        "b": record.changed_by,
        "p": caught.print,
    }
    if canonical is not None:
        body["x"] = _pack(canonical)
    if caught.excluded is not None:
        body["e"] = caught.excluded
    return encode(body)


def _pack(canonical: Canonical) -> dict[str, Any]:
    return {
        "e": canonical.entity,
        "o": canonical.object,
        "k": canonical.key,
        "f": canonical.fields,
        "c": canonical.company,
        "v": canonical.variant,
        "n": canonical.version,
        "l": canonical.locked,
        "s": {name: [_pack(line) for line in lines] for name, lines in canonical.lines.items()},
    }


def _unpack(body: dict[str, Any], changed_at: datetime | None, changed_by: str | None) -> Canonical:
    return Canonical(
        body["e"],
        body["o"],
        body["k"],
        body["f"],
        body["c"],
        body["v"],
        body["n"],
        changed_at,
        changed_by,
        {name: [_unpack(line, None, None) for line in lines] for name, lines in body["s"].items()},
        body["l"],
    )


def read_caught(text: str) -> Caught:
    body = decode(text)
    record = Record(body["o"], body["k"], {}, body["c"], body["v"], body["t"], body["b"])
    canonical = _unpack(body["x"], body["t"], body["b"]) if "x" in body else None
    return Caught(record, body["p"], canonical, [], body.get("e"))
