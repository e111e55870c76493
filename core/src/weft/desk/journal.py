"""The journal as it is searched and exported."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from weft.desk.action import Number, Time, Wanted
from weft.desk.errors import NotThere
from weft.desk.showing import plain
from weft.state.journal import Entry
from weft.state.tx import Tx

COLUMNS = ("id", "at", "run_id", "seq", "flow", "entity", "link_id", "left_key", "right_key", "side", "op", "outcome",
           "reason", "fields", "error", "request_id", "prev_hash", "hash")  # fmt: skip
CSV_HEAD = ",".join(COLUMNS) + "\n"
PAGE = 1000


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


Moment = Annotated[Time, AfterValidator(_aware)]
"""A day or a time; without an offset it is UTC."""


class Filter(Wanted):
    """Which entries; what is left out does not restrict. ``run`` is an id or the beginning of one."""

    run: str | None = None
    flow: str | None = None
    entity: str | None = None
    key: str | None = Field(default=None, description="exact key on either side")
    link: Number | None = None
    outcome: list[str] = Field(default_factory=list)
    since: Moment | None = None
    until: Moment | None = None

    def columns(self, tx: Tx) -> dict[str, Any]:
        """As :meth:`weft.state.journal.Journal.page` takes them."""
        return {
            "run_id": run_id(tx, self.run) if self.run else None, "flow": self.flow, "entity": self.entity,
            "key": self.key, "link_id": self.link, "outcome": self.outcome or None, "since": self.since,
            "until": self.until,
        }  # fmt: skip


def run_id(tx: Tx, given: str) -> str:
    """The id of the one run that begins so. :raises NotThere: none, or several."""
    found = tx.runs.beginning(given)
    if given in found or len(found) == 1:
        return found[0]
    raise NotThere(f"several runs begin with {given!r}" if found else f"there is no run {given!r}")


def newest_first(tx: Tx, wanted: Filter, limit: int = 0) -> Iterator[Entry]:
    """Entries, the last one first; ``limit`` 0: all."""
    return _walk(tx, wanted.columns(tx), "before_id", limit)


def oldest_first(tx: Tx, wanted: Filter, limit: int = 0) -> Iterator[Entry]:
    return _walk(tx, wanted.columns(tx), "after_id", limit)


def _walk(tx: Tx, columns: dict[str, Any], direction: str, limit: int) -> Iterator[Entry]:
    columns[direction] = None if direction == "before_id" else 0
    left = limit
    while True:
        page = tx.journal.page(limit=min(PAGE, left) if limit else PAGE, **columns)
        yield from page
        left -= len(page)
        if len(page) < PAGE or (limit and left <= 0):
            return
        columns[direction] = page[-1].id


def as_csv(entries: Iterable[Entry]) -> Iterator[str]:
    """Lines of a CSV file, the header first."""
    yield CSV_HEAD
    yield from csv_lines(entries)


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """A line of CSV for each. Texts that a spreadsheet would run are marked as text."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    for entry in entries:
        row = _row(entry)
        for name in ("fields", "error"):
            row[name] = "" if row[name] is None else json.dumps(row[name], ensure_ascii=False, sort_keys=True)
        buffer.seek(0)
        buffer.truncate()
        writer.writerow({name: _harmless(value) for name, value in row.items()})
        yield buffer.getvalue()


def as_json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """One JSON object a line."""
    for entry in entries:
        yield json.dumps(_row(entry), ensure_ascii=False) + "\n"


def _row(entry: Entry) -> dict[str, Any]:
    return {name: plain(getattr(entry, name)) for name in COLUMNS}


def _harmless(value: Any) -> Any:
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


@dataclass(frozen=True, slots=True)
class Kind:
    """A form the journal is exported in. ``head`` begins the file."""

    name: str
    media: str
    head: str
    lines: Callable[[Iterable[Entry]], Iterator[str]]


KINDS = (
    Kind("csv", "text/csv; charset=utf-8", CSV_HEAD, csv_lines),
    Kind("jsonl", "application/jsonl", "", as_json_lines),
)


@dataclass(slots=True)
class Pages:
    """An export, oldest first, up to the entry that was the newest when it began. Each page is read in a transaction
    of its own: the journal is only ever appended to, and whoever takes an hour to fetch it holds nobody up."""

    kind: Kind
    columns: dict[str, Any]
    done: bool = False

    @classmethod
    def begin(cls, tx: Tx, wanted: Filter, kind: Kind) -> Pages:
        """:raises NotThere: the run that is wanted is not there."""
        newest = tx.journal.page(limit=1)
        ends = newest[0].id + 1 if newest else 0
        return cls(kind, {**wanted.columns(tx), "after_id": 0, "before_id": ends})

    def read(self, tx: Tx) -> str | None:
        """The text of the next page; None at the end."""
        if self.done:
            return None
        page = tx.journal.page(limit=PAGE, **self.columns)
        self.done = len(page) < PAGE
        if page:
            self.columns["after_id"] = page[-1].id
        return "".join(self.kind.lines(page))
