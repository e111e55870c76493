"""Recognising a record by its values: in two lists of records, or by asking a system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from weft.mapping.casts import Unfit
from weft.mapping.expression import ExpressionError
from weft.mapping.spec import FieldSpec
from weft.mapping.tables import Tables
from weft.mapping.writing import LEFT_OUT, Put, Task
from weft.model.values import ABSENT, Fields, Ref
from weft.records import Condition

_PHONES = re.compile(r"(?:^|[._])(?:phone|mobile|fax|telephone)\d*$")
_NOT_DIGITS = re.compile(r"\D+")


@lru_cache(maxsize=1000)
def _is_phone(name: str) -> bool:
    return _PHONES.search(name) is not None


def match_values(fields: Mapping[str, Any], rules: Sequence[Sequence[str]]) -> tuple[tuple[str, ...] | None, ...]:
    """For each rule the values of its fields, normalised; None when one is EMPTY or ABSENT."""
    return tuple(_match(fields, rule) for rule in rules)


def _match(fields: Mapping[str, Any], rule: Sequence[str]) -> tuple[str, ...] | None:
    found = []
    for name in rule:
        text = match_value(name, fields.get(name))
        if not text:
            return None
        found.append(text)
    return tuple(found)


def match_value(name: str, value: Any) -> str:
    """A value as it is matched: case, width of letters and blanks do not count; of telephone
    numbers only the digits do, with ``00`` in front read as ``+``. '' for EMPTY."""
    if value is None:
        return ""
    if isinstance(value, Ref):
        return str(value)
    if isinstance(value, str):
        if _is_phone(name):
            return _NOT_DIGITS.sub("", value).removeprefix("00")
        plain = value if value.isascii() else unicodedata.normalize("NFKC", value)
        return " ".join(plain.casefold().split())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def searches(
    rule: Sequence[str],
    fields: Fields,
    specs: Sequence[FieldSpec],
    puts: Mapping[str, Put],
    tables: Tables,
) -> list[tuple[Condition, ...]]:
    """A match rule as native conditions for these canonical values: groups, any of which may find the record.

    Texts are asked for as they are, in capitals and in small letters, because systems that compare to the letter
    store codes in capitals (Business Central) or addresses in small ones. Empty when the rule cannot be asked for: a
    value is EMPTY, a field is not a plain field of the main object, or is a telephone number, which every system
    formats in its own way.
    """
    found: list[tuple[Condition, bool]] = []
    task = Task(dict(fields), fields, tables, create=False)
    for name in rule:
        value = fields.get(name)
        if value is None or _is_phone(name):
            return []
        asked = None
        for spec in specs:
            askable = spec.readable and spec.part is None and spec.in_ is None and not spec.map.cut
            if spec.canonical != name or not askable or spec.label not in puts:
                continue
            try:
                native = puts[spec.label](value, task)
            except (Unfit, ExpressionError):
                continue
            if native is not None and native is not LEFT_OUT and native is not ABSENT:
                asked = Condition(spec.native, "eq", native), _plain_text(spec)
                break
        if asked is None:
            return []
        found.append(asked)
    spellings: tuple[Callable[[str], str], ...] = (str, str.upper, str.lower)
    groups = [tuple(_spelt(one, spelling) if text else one for one, text in found) for spelling in spellings]
    return list(dict.fromkeys(groups)) if found else []


def _plain_text(spec: FieldSpec) -> bool:
    return spec.field.kind == "text" and not spec.field.values and not spec.map.values


def _spelt(condition: Condition, spelling: Callable[[str], str]) -> Condition:
    return replace(condition, value=spelling(condition.value)) if isinstance(condition.value, str) else condition
