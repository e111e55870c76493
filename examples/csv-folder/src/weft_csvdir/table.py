"""One CSV file in memory: read exactly, written back in the style it came in."""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from weft.errors import ConfigError, EndpointDown

Row = dict[str, str]

LONGEST = 131_072
"""Characters in a cell that Python's csv reader takes; a longer one would make the file unreadable."""


def spell(value: Any) -> str:
    """A native value as the text of a cell. EMPTY is the empty cell; nothing is rounded."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")  # never 1E+3
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def version(row: Row) -> str:
    """Changes whenever a cell does. Empty cells do not count, so a new column changes no version."""
    held = {column: text for column, text in row.items() if text}
    return blake2b(json.dumps(held, sort_keys=True).encode(), digest_size=12).hexdigest()


@dataclass
class Table:
    """Rows by key, in the order of the file. ``print`` tells one content of the file from another."""

    name: str
    key: str
    columns: list[str]
    rows: dict[str, Row] = field(default_factory=dict)
    print: str = ""
    delimiter: str = ","
    newline: str = "\n"
    bom: bool = False

    @classmethod
    def parse(cls, name: str, raw: bytes, key: str = "", delimiter: str = ",") -> Table:
        """Read a file's content. ``key`` is the column that names a row (default: the first).

        Anything that looks like half a file is :class:`~weft.errors.EndpointDown`: somebody may be
        copying it, and a row that is not there yet must not look deleted. What a person has to mend is
        :class:`~weft.errors.ConfigError`, with file and line.
        """
        try:
            text = raw.removeprefix(BOM_UTF8).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            columns = next(reader, None)
            if not columns:
                raise EndpointDown(f"{name}: is empty; its first line must name the columns")
            _check_columns(name, columns, key)
            head = text.splitlines(keepends=True)[0]
            table = cls(
                name, key or columns[0], columns, print=blake2b(raw, digest_size=16).hexdigest(),
                delimiter=delimiter, newline="\r\n" if head.endswith("\r\n") else "\n",
                bom=raw.startswith(BOM_UTF8),
            )  # fmt: skip
            for cells in reader:
                if cells:  # a blank line is no row
                    table._take(cells, reader.line_num)
        except csv.Error as error:
            raise EndpointDown(f"{name}:{reader.line_num}: cannot be read as CSV: {error}") from None
        return table

    def _take(self, cells: list[str], line: int) -> None:
        if len(cells) != len(self.columns):
            raise EndpointDown(
                f"{self.name}:{line}: has {len(cells)} cells, the first line names {len(self.columns)} columns"
            )
        row = dict(zip(self.columns, cells, strict=True))
        key = row[self.key]
        if not key:
            raise ConfigError(f"{self.name}:{line}: the column {self.key!r} is empty; every row needs its key")
        if key in self.rows:
            raise ConfigError(
                f"{self.name}:{line}: the key {key!r} is there twice; give every row its own {self.key!r}"
            )
        self.rows[key] = row

    def bytes(self) -> bytes:
        """The content of the file. A cell is quoted only where it must be."""
        lines = [self.columns, *([row.get(c, "") for c in self.columns] for row in self.rows.values())]
        text = "".join(self.delimiter.join(map(self._cell, cells)) + self.newline for cells in lines)
        return (BOM_UTF8 if self.bom else b"") + text.encode("utf-8")

    def _cell(self, text: str) -> str:
        # The csv module's own writer leaves a lone carriage return unquoted and cannot read it again.
        if any(sign in text for sign in (self.delimiter, '"', "\r", "\n")):
            return '"' + text.replace('"', '""') + '"'
        return text or ('""' if len(self.columns) == 1 else "")


def _check_columns(name: str, columns: list[str], key: str) -> None:
    for column in columns:
        if not column.strip():
            raise ConfigError(f"{name}:1: a column has no name")
        if columns.count(column) > 1:
            raise ConfigError(f"{name}:1: the column {column!r} is there twice")
    if key and key not in columns:
        raise ConfigError(
            f"{name}:1: has no column {key!r}, which the mapping names as the key; "
            f"it has: {', '.join(columns)} (is the delimiter right?)"
        )
