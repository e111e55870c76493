"""Windows of time within a week, such as the hours in which a flow must not work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_FORM = re.compile(r"(?P<days>[a-z]{3}(?:\s*[-,]\s*[a-z]{3})*)?\s*(?P<hours>\d\d:\d\d\s*-\s*\d\d:\d\d)?")
_HELP = "write a window as `mon-fri 08:00-18:00`, `sat,sun` or `23:30-01:00`"


@dataclass(frozen=True, slots=True)
class Window:
    """Days (0 is Monday) and minutes of the day. One that ends before it begins goes on into the next day."""

    days: frozenset[int]
    begins: int
    ends: int
    text: str

    def holds(self, local: datetime) -> bool:
        """Does a time of the flow's own time zone lie in it?"""
        minute = local.hour * 60 + local.minute
        if self.begins < self.ends:
            return local.weekday() in self.days and self.begins <= minute < self.ends
        before = (local.weekday() - 1) % 7
        return (local.weekday() in self.days and minute >= self.begins) or (before in self.days and minute < self.ends)

    def __str__(self) -> str:
        return self.text


def parse_window(value: Any) -> Any:
    """Read one window; anything else than its three forms is a ValueError."""
    if isinstance(value, Window):
        return value
    found = _FORM.fullmatch(value.strip().lower()) if isinstance(value, str) and len(value) < 60 else None
    if found is None or not found[0]:
        raise ValueError(_HELP)
    begins, ends = 0, _DAY
    if found["hours"]:
        begins, ends = (_minute(one) for one in found["hours"].split("-"))
        if begins == ends:
            raise ValueError(f"begins and ends at the same time; {_HELP}")
    return Window(_days(found["days"]), begins, ends, value.strip())


def _days(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    days: set[int] = set()
    for piece in text.split(","):
        first, *last = (_day(name) for name in piece.split("-"))
        if len(last) > 1:
            raise ValueError(_HELP)
        days.update((first + step) % 7 for step in range((last[0] - first) % 7 + 1 if last else 1))
    return frozenset(days)


def _day(name: str) -> int:
    if name.strip() not in DAYS:
        raise ValueError(f"{name.strip()!r} is no day; there are {', '.join(DAYS)}")
    return DAYS.index(name.strip())


def _minute(text: str) -> int:
    hour, minute = (int(part) for part in text.split(":"))
    if hour > 24 or minute > 59 or hour * 60 + minute > _DAY:
        raise ValueError(f"{text.strip()} is no time of day")
    return hour * 60 + minute


WeekWindow = Annotated[
    Window,
    BeforeValidator(parse_window),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["mon-fri 08:00-18:00", "sat,sun", "23:30-01:00"]}),
]


def open_again(windows: list[Window], local: datetime) -> datetime | None:
    """When none of the windows holds any more, to the minute; ``local`` itself when none does now. None: never
    within the next week."""
    at = local
    for _ in range(7 * _DAY + 1):
        if not any(window.holds(at) for window in windows):
            return at
        at = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return None
