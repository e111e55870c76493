"""Guessing is slowed down, by the address it comes from."""

from __future__ import annotations

import math
from collections import OrderedDict
from datetime import datetime, timedelta

from weft.server.people import Refused

TRIES = 10
WINDOW = timedelta(minutes=5)
REMEMBERED = 10_000


class Throttle:
    """Counts the wrong tokens of the last minutes, each once: a program that keeps presenting the same old token
    guesses nothing, and must not lock out whoever shares its address. Addresses longest silent are forgotten first."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, dict[str, datetime]] = OrderedDict()

    def check(self, address: str, now: datetime) -> None:
        """:raises Refused: too many wrong tokens came from there."""
        wrong = self._recent(address, now)
        if len(wrong) >= TRIES:
            wait = math.ceil((min(wrong.values()) + WINDOW - now).total_seconds())
            raise Refused(429, "too_many_tries", f"too many failed sign-ins; try again in {wait} s", max(wait, 1))

    def failed(self, address: str, mark: str, now: datetime) -> bool:
        """Remember a wrong token by its ``mark``; whether it is a new one."""
        wrong = self._recent(address, now)
        new = mark not in wrong
        wrong.setdefault(mark, now)
        self._wrong[address] = wrong
        self._wrong.move_to_end(address)
        while len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)
        return new

    def succeeded(self, address: str) -> None:
        self._wrong.pop(address, None)

    def _recent(self, address: str, now: datetime) -> dict[str, datetime]:
        return {mark: at for mark, at in self._wrong.get(address, {}).items() if at > now - WINDOW}
