"""Waking: what waits for a link is looked at when that appears, though the wait is stored at that very moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.state.links import Link
    from weft.state.tx import Tx

Wait = tuple[str, str, str, str]
"""A record waited for: (entity, connection, connection of the missing counterpart, key)."""


def in_turn(tx: Tx, links: Sequence[Link], waits: Sequence[Wait]) -> None:
    """Before anything is stored. Of two settlements at once, one with a link and one that waits for it, neither would
    see the other: the one who waits has the entity to itself."""
    if links or waits:
        tx.issues.in_turn({entity for entity, *_ in waits}, {link.entity for link in links})


def wake(tx: Tx, links: Sequence[Link], waits: Sequence[Wait], now: datetime) -> None:
    """After links and issues are stored: those that wait for these links, and those that need not wait."""
    linked: dict[tuple[str, str], list[str]] = defaultdict(list)
    for link in links:
        linked[link.entity, link.left_connection].append(link.left_key)
        linked[link.entity, link.right_connection].append(link.right_key)
    for (entity, connection), keys in linked.items():
        tx.issues.wake(entity, connection, keys, now)
    for entity, connection, there, key in waits:
        # The link may have appeared between the look and this moment; nobody else would wake us then.
        if tx.links.translate(entity, connection, there, [("", key)]):
            tx.issues.wake(entity, connection, [key], now)
