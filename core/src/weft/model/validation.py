"""Is a canonical record what its entity says? Asked at the edges, where data enters or leaves."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from weft.model.entity import EntityType, Field
from weft.model.values import Ref
from weft.records import Problem

if TYPE_CHECKING:
    from weft.model.catalogue import Catalogue

_EXPECTED = {
    "text": "a text",
    "decimal": "a Decimal or a whole number",
    "money": "a Decimal or a whole number",
    "integer": "a whole number",
    "boolean": "true or false",
    "date": "a date without time",
    "datetime": "a point in time with its offset",
    "ref": "a reference",
}


def validate(
    entity: EntityType,
    fields: Mapping[str, Any],
    lines: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    catalogue: Catalogue | None = None,
) -> list[Problem]:
    """Everything wrong with a record, in the order of its fields; empty when all is well.

    Checked: names, types, closed values, no binary floats, no NaN, times with an offset, and, with a
    ``catalogue``, that references to reference data are codes and all others :class:`Ref`. EMPTY is
    always allowed. A problem in a line names it ``lines[2].quantity`` (counted from 0).
    """
    return list(_problems(entity, fields, lines or {}, catalogue, ""))


def _problems(
    entity: EntityType,
    fields: Mapping[str, Any],
    lines: Mapping[str, Sequence[Mapping[str, Any]]],
    catalogue: Catalogue | None,
    prefix: str,
) -> Iterator[Problem]:
    for name, value in fields.items():
        found = entity.field(name)
        if found is None:
            near = difflib.get_close_matches(name, entity.fields, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; pass it as custom.<name>"
            yield Problem(prefix + name, f"{entity.name} has no field {name!r}{hint}", "unknown_field")
        elif value is not None:
            message = _wrong(found, value, catalogue)
            if message:
                yield Problem(prefix + name, message, "type" if "is not one of" not in message else "value")
    for collection, rows in lines.items():
        line = entity.lines.get(collection)
        if line is None:
            yield Problem(prefix + collection, f"{entity.name} has no lines {collection!r}", "unknown_field")
            continue
        for index, row in enumerate(rows):
            yield from _problems(line, row, {}, catalogue, f"{prefix}{collection}[{index}].")


def _wrong(field: Field, value: Any, catalogue: Catalogue | None) -> str | None:
    """What is wrong with a value that is not EMPTY, or None."""
    if _has_float(value):
        return "holds a binary float, which is not exact; use Decimal"
    if isinstance(value, Decimal) and not value.is_finite():
        return f"{value} is no number"
    if isinstance(value, datetime) and value.utcoffset() is None:
        return "is a time without offset; canonical times are UTC"
    if field.kind == "any":
        return None
    if not _fits(field, value, catalogue):
        expected = _EXPECTED[field.kind]
        if field.kind == "ref" and catalogue is not None:
            code = catalogue.is_reference(field.entity or "")
            expected = f"the code of a {field.entity}" if code else f"a reference to a {field.entity}"
        return f"is {type(value).__name__} {str(value)[:60]!r}, expected {expected}"
    if field.values and value not in field.values:
        return f"{value!r} is not one of {', '.join(field.values)}"
    return None


def _fits(field: Field, value: Any, catalogue: Catalogue | None) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    match field.kind:
        case "text":
            return isinstance(value, str)
        case "decimal" | "money":
            return isinstance(value, Decimal) or whole
        case "integer":
            return whole
        case "boolean":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, date) and not isinstance(value, datetime)
        case "datetime":
            return isinstance(value, datetime)
        case "ref":
            if catalogue is None:
                return isinstance(value, str | Ref)
            return isinstance(value, str if catalogue.is_reference(field.entity or "") else Ref)
        case _:
            return True


def _has_float(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_float(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(_has_float(inner) for inner in value)
    return isinstance(value, float)
