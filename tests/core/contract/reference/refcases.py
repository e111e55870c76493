"""Connectors that are broken in one way each, and the checks that must find it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from refconnector import ReferenceConnector

Broken = type[ReferenceConnector]


@dataclass(frozen=True)
class Case:
    """``caught_by``: checks of which every one must fail."""

    connector: Broken
    caught_by: tuple[str, ...]


CASES: list[Case] = []


def caught_by(*names: str) -> Callable[[Broken], Broken]:
    """Enter a broken connector into :data:`CASES`."""

    def mark(connector: Broken) -> Broken:
        CASES.append(Case(connector, names))
        return connector

    return mark
