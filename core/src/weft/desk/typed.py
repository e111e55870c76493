"""A value typed by a person, as the canonical value of a field."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from weft.errors import ConfigError
from weft.model.values import Ref

if TYPE_CHECKING:
    from weft.model.entity import Field

_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


def typed(field: Field, text: str) -> Any:
    """The value, None for a text of nothing but blanks.

    :raises ConfigError: the text is not of the field's type; says what is.
    """
    if not text or text.isspace():
        return None
    try:
        return _read(field, text)
    except (ValueError, InvalidOperation):
        expected = {
            "decimal": "a number such as 12.50", "money": "an amount such as 1250.00", "integer": "a whole number",
            "boolean": "true or false", "date": "a day such as 2024-01-31", "ref": "OBJECT(KEY)",
            "datetime": "a time with its offset, such as 2024-01-31T08:00:00Z",
        }.get(field.kind, "a text")  # fmt: skip
        if field.values:
            expected = f"one of {', '.join(field.values)}"
        raise ConfigError(f"{field.name}: {text!r} is not {expected}") from None


def _read(field: Field, text: str) -> Any:
    if field.kind in ("decimal", "money"):
        number = Decimal(text)
        if not number.is_finite():
            raise ValueError(text)
        return number
    if field.kind == "integer":
        return int(text)
    if field.kind == "boolean":
        if text.lower() not in (*_YES, *_NO):
            raise ValueError(text)
        return text.lower() in _YES
    if field.kind == "date":
        return date.fromisoformat(text)
    if field.kind == "datetime":
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment
    if field.kind == "ref" and text.endswith(")") and "(" in text:
        object_name, _, key = text[:-1].partition("(")
        return Ref(object_name, key)
    if field.values and text not in field.values:
        raise ValueError(text)
    return text  # a code, for references to reference data
