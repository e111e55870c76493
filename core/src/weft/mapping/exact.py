"""Numbers, dates and ids on their way into the expression engine and back, without losing a digit.

The engine counts in binary doubles, which hold every decimal number of up to 15 significant digits
in such a way that it comes out again as it went in. So

* a number of up to 15 digits enters as a number; a longer one (a record id, say) enters as text:
  copied it stays exact, and arithmetic with it is the engine's type error instead of a wrong digit;
* EMPTY, null and what is missing enter as the text ``''``: the engine's null would turn up as the word
  "null" in joined text, and comparisons with something missing never hold, not even ``!=``;
* dates enter as ISO text, times as ISO text in UTC (``2024-01-31T08:15:30Z``), references as
  ``{"object": …, "key": …}``;
* a result of more than 15 digits is refused: it is the noise of binary arithmetic
  (``0.1 + 0.2 = 0.30000000000000004``) or has lost digits already. ``$plus``, ``$minus``,
  ``$times``, ``$divide`` and ``$money`` calculate in decimals; ``$round`` cuts the noise off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from weft.model.values import Ref

DIGITS = 15
_LIMIT = 10**DIGITS
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_UP)

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
EMPTY_DAYS = ("0001-01-01", "1900-01-01")


class Inexact(ValueError):
    """A result that binary arithmetic has spoilt."""


def enter(value: Any, reads: Any = True) -> Any:
    """A native or canonical value as the engine takes it; of an object just the fields in ``reads``
    (name -> what is read of it, True for all)."""
    kind = value.__class__
    if value is None:
        return "" if reads.__class__ is not dict or not reads else enter({}, reads)
    if kind is str or kind is bool:
        return value
    if kind is int:
        return value if -_LIMIT < value < _LIMIT else str(value)
    if kind is Decimal:
        return enter_decimal(value)
    if isinstance(value, Mapping):
        if reads.__class__ is dict:
            return {name: enter(value.get(name), inner) for name, inner in reads.items()}
        return {str(name): enter(inner) for name, inner in value.items()}
    if isinstance(value, Ref):
        return {"object": value.object, "key": value.key}
    if isinstance(value, list | tuple | set | frozenset):
        return [enter(inner, reads) for inner in value]
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float):
        return enter_decimal(Decimal(repr(value)))
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, str | int):  # subclasses: enumerations and the like
        return str(value) if isinstance(value, str) else int(value)
    raise TypeError(f"a {type(value).__name__} cannot be used in an expression")


def enter_decimal(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) + max(exponent, 0) <= DIGITS and exponent > -300:
        return float(value) if exponent < 0 else int(value)
    reduced = value.normalize(_CONTEXT) if len(digits) <= 60 else value
    _, digits, exponent = reduced.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) + max(exponent, 0) <= DIGITS and exponent > -300:
        return float(reduced) if exponent < 0 else int(reduced)
    return format(value, "f") if abs(exponent) < 400 else str(value)


def leave(value: Any) -> Any:
    """A result of the engine as exact values: int, Decimal, text, boolean, None, list, dict."""
    kind = value.__class__
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        if -_LIMIT < value < _LIMIT:
            return value
        raise Inexact(f"the result {value} has more than {DIGITS} digits and may have lost some")
    if kind is float:
        exact = Decimal(repr(value))
        if not exact.is_finite():
            raise Inexact(f"the result {value} is not a number")
        if len(exact.normalize(_CONTEXT).as_tuple().digits) > DIGITS:
            raise Inexact(
                f"the result {exact} has more than {DIGITS} digits, the noise of binary arithmetic: "
                "use $round, or $plus, $minus, $times, $divide, which calculate in decimals"
            )
        return exact
    if kind is dict:
        return {name: leave(inner) for name, inner in value.items()}
    if kind is list:
        return [leave(inner) for inner in value]
    raise Inexact("the result is a function")


# -- host functions --------------------------------------------------------------------------------


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{'nothing' if value is None else value} is not a number")
    try:
        number = Decimal(value) if isinstance(value, int | str) else Decimal(repr(value))
    except (InvalidOperation, ValueError, TypeError):
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a number")
    return number


def _plus(*values: Any) -> Any:
    flat = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    total = Decimal(0)
    for value in flat:
        total = _CONTEXT.add(total, _number(value))
    return enter_decimal(total)


def _minus(left: Any, right: Any) -> Any:
    return enter_decimal(_CONTEXT.subtract(_number(left), _number(right)))


def _times(left: Any, right: Any) -> Any:
    return enter_decimal(_CONTEXT.multiply(_number(left), _number(right)))


def rounded(value: Decimal, digits: int) -> Decimal:
    """``value`` with at most ``digits`` decimal places, halves away from zero."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -digits:
        return value
    return value.quantize(Decimal(1).scaleb(-digits), context=Context(prec=200, rounding=ROUND_HALF_UP))


def _places(digits: Any) -> int:
    number = _number(digits)
    if number != number.to_integral_value() or not 0 <= number <= 28:
        raise ValueError(f"{digits} decimal places cannot be had; give 0 to 28")
    return int(number)


def _divide(left: Any, right: Any, digits: Any = 2) -> Any:
    divisor = _number(right)
    if not divisor:
        raise ValueError("division by zero")
    return enter_decimal(rounded(_CONTEXT.divide(_number(left), divisor), _places(digits)))


def _money(value: Any, digits: Any = 2) -> Any:
    return enter_decimal(rounded(_number(value), _places(digits)))


def is_blank(value: Any) -> bool:
    """Whether a native value is one of the blanks every mapping knows; see :mod:`.casts`."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace() or value == ZERO_GUID or value[:10] in EMPTY_DAYS
    return False


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "plus": _plus,
    "minus": _minus,
    "times": _times,
    "divide": _divide,
    "money": _money,
    "blank": is_blank,
}
