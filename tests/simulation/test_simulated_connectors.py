"""Seeded scenarios over the real protocols: Creatio and Business Central, simulated in another process.

They take a hundred times as long as those in memory, so fewer are played: a fiftieth of ``WEFT_SEEDS``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

CHUNK = 3
LEAST = 6
MODULE = "harness.real"


def chunks() -> list[tuple[int, int]]:
    """(first seed, how many) of each test."""
    if one := os.environ.get("WEFT_REAL_SEED"):
        return [(int(one), 1)]
    if "WEFT_SEED" in os.environ:
        return []
    wanted = max(LEAST, int(os.environ.get("WEFT_SEEDS") or 0) // 50)
    return [(first, min(CHUNK, wanted - first + 1)) for first in range(1, wanted + 1, CHUNK)]


@pytest.mark.parametrize(("first", "count"), chunks())
@pytest.mark.timeout(0)
def test_both_systems_hold_what_the_rules_say(
    play: Callable[..., list[dict[str, Any]]], tell: Callable[..., str], first: int, count: int
) -> None:
    results = play(first, count, module=MODULE)
    assert [one["seed"] for one in results] == list(range(first, first + count))
    failed = [one for one in results if one["problem"]]
    assert not failed, "\n\n".join(tell(one, MODULE) for one in failed)


@pytest.mark.timeout(0)
def test_a_broken_engine_is_noticed_over_the_wire(play: Callable[..., list[dict[str, Any]]]) -> None:
    results = play(1, 12, "--mutant", "left_always_wins", "--stop", module=MODULE)
    assert results[-1]["problem"]
