"""Choices: which side wins a conflict, as a person said, for the two values that were seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weft.model.values import ABSENT
from weft.state.types import dump
from weft.sync.showing import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.model.values import Fields
    from weft.records import Side
    from weft.state.issues import Issue


@dataclass(slots=True)
class Choices:
    """What people chose about one pair. Where a value has changed since, it is asked anew."""

    _made: dict[str, tuple[Side, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._made)

    def add(self, issue: Issue) -> None:
        """Take over what was chosen in a conflict's issue, with the values that it shows."""
        seen = issue.payload if isinstance(issue.payload, dict) else {}
        for name, side in (issue.edited or {}).items():
            if isinstance(seen.get(name), dict):
                self._made[name] = (side, _both(seen[name]))

    def of(self, name: str, left: Any, right: Any) -> Side | None:
        """The side chosen for a field (or a line's, by its place) that holds these two values now."""
        made = self._made.get(name)
        if made is None or made[1] != _both({"left": shown(left), "right": shown(right)}):
            return None
        return made[0]

    def among(self, left: Fields, right: Fields) -> dict[str, Side]:
        """The sides chosen for fields, given what both hold now."""
        found = {name: self.of(name, left.get(name, ABSENT), right.get(name, ABSENT)) for name in self._made}
        return {name: side for name, side in found.items() if side is not None}


def _both(values: Mapping[str, Any]) -> str:
    return dump({side: values[side] for side in ("left", "right") if values.get(side, ABSENT) is not ABSENT})
