"""All that can be decided at the desk."""

from __future__ import annotations

from typing import Any

from weft.desk import conflicts, issues, links
from weft.desk.action import Action

ACTIONS: tuple[Action[Any, Any], ...] = (
    issues.retry,
    issues.edit,
    issues.skip,
    issues.approve,
    issues.refuse,
    issues.decide,
    conflicts.resolve,
    links.add,
    links.remove,
    links.merge,
)
