"""Fingerprints: whether anything that a mapping looks at changed in a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import orjson

from weft.mapping.reading import nested
from weft.model.values import ABSENT
from weft.records import Native, Record

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
Row = Callable[[Native], Sequence[Any]]


def _tag(value: Any) -> Any:
    # orjson knows text, numbers, dates, times and UUIDs; what it does not know must not look like text.
    if value is ABSENT:
        return {"\0": None}
    if isinstance(value, bytes | bytearray):
        return {"\0": bytes(value).hex()}
    return {"\0": str(value)}


def _row(names: Sequence[str]) -> Row:
    paths = [(name, tuple(name.split("/"))) for name in names if "/" in name]
    flat = [name for name in names if "/" not in name]
    pick = itemgetter(*flat) if len(flat) > 1 else None

    def row(data: Native) -> Sequence[Any]:
        values: Sequence[Any]
        try:
            values = pick(data) if pick is not None else [data[name] for name in flat]
        except KeyError:
            values = [data.get(name, ABSENT) for name in flat]
        if paths:
            values = [*values, *(nested(data, steps, name) for name, steps in paths)]
        return values

    return row


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value, _tag, _OPTIONS)
    except TypeError:
        # Whole numbers beyond 64 bits and unpaired surrogates, which orjson refuses.
        return repr(value).encode("utf-8", "backslashreplace")


def printer(
    digest: str,
    fields: Sequence[str],
    parts: Mapping[str, Sequence[str]],
    lines: Mapping[str, Sequence[str]],
) -> Callable[[Record], str]:
    """A function that gives 32 hexadecimal characters for the values of these native fields.

    The order of fields and of lines does not matter; the mapping's ``digest`` goes in, so that
    records count as changed when the mapping does.
    """
    main = _row(sorted(fields))
    part_rows = [(name, _row(sorted(names))) for name, names in sorted(parts.items())]
    line_rows = [(name, _row(sorted(names))) for name, names in sorted(lines.items())]
    start = digest.encode()

    def fingerprint(record: Record) -> str:
        values = [main(record.data)]
        for name, row in part_rows:
            children = record.children.get(name)
            values.append([] if children is None else [row(child.data) for child in children] or [None])
        text = start + _dumps(values)
        for name, row in line_rows:
            children = record.children.get(name)
            if children is None:
                text += b"\0"
            else:
                text += b"".join(sorted(_dumps((child.key, row(child.data))) for child in children)) + b"\1"
        return blake2b(text, digest_size=16).hexdigest()

    return fingerprint
