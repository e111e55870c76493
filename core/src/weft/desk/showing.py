"""Values as people and programs are shown them: exact JSON, text, times."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

LONGEST = 500
"""Characters of one value that people are shown; JSON is never cut."""


def plain(value: Any) -> Any:
    """Any value as JSON knows it: amounts as exact text, times as ISO 8601, references as ``Object(key)``."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value) if not f.name.startswith("_")}
    if isinstance(declared := getattr(type(value), "model_fields", None), dict):
        return {name: plain(getattr(value, name)) for name in declared}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return str(value)  # a reference: Object(key)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return str(value)


def show(value: Any, more: str = "--json shows all") -> str:
    """A canonical value for people: EMPTY as (empty), text as it is. ``more``: how to see what is cut off."""
    if value is None:
        return "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    found = plain(value)
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters; {more})"


def clean(text: str) -> str:
    """Without control characters: a remote name must not steer the terminal."""
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cn") else " " for c in text)


def when(value: datetime | None) -> str:
    """A time to the second, in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if value is not None else ""


def span(seconds: float) -> str:
    """A length of time in the two units that matter: ``1h 04m``, ``12.3s``."""
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h {minutes:02d}m"
    return f"{hours // 24}d {hours % 24:02d}h"


def ago(value: datetime | None, now: datetime) -> str:
    """How long ago a time was."""
    return f"{span(max((now - value).total_seconds(), 0))} ago" if value is not None else "never"
