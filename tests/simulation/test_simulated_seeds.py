"""Seeded scenarios between two systems in memory: edits on both sides, faults, lost answers, kills.

``WEFT_SEEDS`` says how many seeds (``make simulate`` plays thousands), ``WEFT_SEED`` plays just one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

CHUNK = 40
"""Getting ready takes as long as three seeds."""
DEFAULT = 80


def chunks() -> list[tuple[int, int]]:
    """(first seed, how many) of each test."""
    if one := os.environ.get("WEFT_SEED"):
        return [(int(one), 1)]
    if "WEFT_REAL_SEED" in os.environ:
        return []
    wanted = int(os.environ.get("WEFT_SEEDS") or DEFAULT)
    return [(first, min(CHUNK, wanted - first + 1)) for first in range(1, wanted + 1, CHUNK)]


@pytest.mark.parametrize(("first", "count"), chunks())
@pytest.mark.timeout(0)
def test_both_sides_hold_what_the_rules_say(
    play: Callable[..., list[dict[str, Any]]], tell: Callable[..., str], first: int, count: int
) -> None:
    results = play(first, count)
    assert [one["seed"] for one in results] == list(range(first, first + count))
    failed = [one for one in results if one["problem"]]
    assert not failed, "\n\n".join(tell(one) for one in failed)


def test_a_seed_replays_exactly(play: Callable[..., list[dict[str, Any]]]) -> None:
    first, second = (play(7, 2, "--script-always") for _ in range(2))
    assert [one["script"] for one in first] == [one["script"] for one in second]
    assert all(one["script"] for one in first)
