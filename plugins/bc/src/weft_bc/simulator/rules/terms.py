"""Date formulas such as 1M(8D), 30D, CM+15D: how payment terms give a due date."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass

from weft_bc.simulator.errors import BcError

_TERM = re.compile(r"([+-]?)(?:C([DWMQY])|(\d+)([DWMQY]))")


@dataclass(frozen=True)
class DateFormula:
    """``parts``: (sign, count, unit), count 0 for "current period end"."""

    text: str
    parts: tuple[tuple[int, int, str], ...]

    @classmethod
    def parse(cls, text: str, name: str) -> DateFormula:
        compact = text.replace(" ", "").replace("<", "").replace(">", "").upper()
        parts: list[tuple[int, int, str]] = []
        position = 0
        body = re.sub(r"\((.*)\)", r"+\1", compact)
        while position < len(body):
            found = _TERM.match(body, position)
            if found is None:
                raise BcError(
                    400,
                    "Application_EvaluateException",
                    f"The value '{text}' can't be evaluated into type DateFormula for {name}.",
                )
            sign = -1 if found[1] == "-" else 1
            parts.append((sign, 0, found[2]) if found[2] else (sign, int(found[3]), found[4]))
            position = found.end()
        return cls(compact, tuple(parts))

    def after(self, day: dt.date) -> dt.date:
        for sign, count, unit in self.parts:
            day = _period_end(day, unit) if count == 0 else _move(day, sign * count, unit)
        return day


def _move(day: dt.date, count: int, unit: str) -> dt.date:
    if unit in "DW":
        return day + dt.timedelta(days=count * (7 if unit == "W" else 1))
    months = day.year * 12 + day.month - 1 + count * {"M": 1, "Q": 3, "Y": 12}[unit]
    year, month = divmod(months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _period_end(day: dt.date, unit: str) -> dt.date:
    if unit == "D":
        return day
    if unit == "W":
        return day + dt.timedelta(days=6 - day.weekday())
    month = {"M": day.month, "Q": (day.month + 2) // 3 * 3, "Y": 12}[unit]
    return dt.date(day.year, month, calendar.monthrange(day.year, month)[1])
