"""Rows as answers carry them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

Row = dict[str, Any]


def plain(row: Row) -> Row:
    """A copy with the fields of a row, without annotations."""
    data = row.copy()  # annotations are few: to take them out is quicker than to pick the others
    for name in _annotations(tuple(row)):
        del data[name]
    return data


@lru_cache(maxsize=1000)
def _annotations(names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of a row's names are annotations; the rows of an answer all have the same names."""
    return tuple(name for name in names if "@" in name)
