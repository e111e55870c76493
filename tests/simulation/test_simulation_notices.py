"""A simulation that cannot fail proves nothing: each way of breaking the engine must be noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

MUTANTS = {
    "no_intents": 40,
    "blind_repeat": 40,
    "learn_from_echo": 40,
    "no_recall": 60,
    "unguarded": 60,
    "cursor_first": 60,
    "left_always_wins": 20,
    "no_matching": 20,
    "settle_in_pieces": 20,
}
"""How many seeds each may take at most; the first failure ends it."""


@pytest.mark.parametrize(("mutant", "seeds"), MUTANTS.items())
@pytest.mark.timeout(0)
def test_a_broken_engine_is_noticed(play: Callable[..., list[dict[str, Any]]], mutant: str, seeds: int) -> None:
    results = play(1, seeds, "--mutant", mutant, "--stop")
    assert results[-1]["problem"], f"{seeds} seeds went by and nobody noticed {mutant}"
