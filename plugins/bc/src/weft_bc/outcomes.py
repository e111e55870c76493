"""From answers to outcomes, and small readings of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.net.odata import outcomes
from weft.net.odata.metadata import Metadata, Property
from weft.net.odata.sending import Answer
from weft.records import Item, Outcome
from weft_bc.failures import is_missing, is_stale
from weft_bc.values import written


def typed(data: Mapping[str, Any], known: Mapping[str, Property], meta: Metadata) -> dict[str, Any]:
    """Native values as the body carries them."""
    return {name: written(value, known.get(name), meta) for name, value in data.items()}


def failed(item: Item, answer: Answer) -> Outcome:
    """The outcome of a call that did not succeed."""
    return outcomes.failed(item, answer, lambda error: is_stale(error) or is_missing(error))


def key_in(location: str | None) -> str | None:
    """The id at the end of a Location header: ``…/customers(5d11…)``."""
    if not location or "(" not in location or not location.endswith(")"):
        return None
    return location[location.rindex("(") + 1 : -1]


def set_in(location: str | None) -> str | None:
    """The entity set a Location header leads to."""
    if not location or "(" not in location:
        return None
    return location[: location.rindex("(")].rpartition("/")[2]
