"""A simulation that cannot fail proves nothing: each way of breaking the engine must be noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

MUTANTS = {
    "no_intents": (9, 100),
    "blind_repeat": (1, 40),
    "learn_from_echo": (1, 40),
    "no_recall": (50, 200),
    "unguarded": (28, 200),
    "cursor_first": (1, 200),
    "left_always_wins": (1, 20),
    "no_matching": (1, 20),
    "settle_in_pieces": (1, 20),
}
"""The seed to begin with, and how many each may take at most; the first failure ends it."""


@pytest.mark.parametrize(("mutant", "first", "most"), [(name, *span) for name, span in MUTANTS.items()])
@pytest.mark.timeout(0)
def test_a_broken_engine_is_noticed(
    play: Callable[..., list[dict[str, Any]]], mutant: str, first: int, most: int
) -> None:
    results = play(first, most, "--mutant", mutant, "--stop")
    assert results[-1]["problem"], f"{most} seeds went by and nobody noticed {mutant}"
