"""How values and errors are shown in the journal and in issues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from weft.model.values import Ref
from weft.records import Error
from weft.sync.decide import Unlinked

LONGEST = 4_000
"""Characters of one value that the journal and issues keep; the record itself holds the rest."""


def masked(error: Error | None, mask: Callable[[str], str]) -> Error | None:
    """An error without secrets."""
    return None if error is None else replace(error, message=mask(error.message))


def shown(value: Any) -> Any:
    """A canonical value for people and JSON: references as text, very long texts cut."""
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]}… ({len(value)} characters)"
    return str(value) if isinstance(value, Ref | Unlinked) else value


def all_shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Every field as :func:`shown`."""
    return {name: shown(value) for name, value in fields.items()}
