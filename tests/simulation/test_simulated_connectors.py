"""Seeded scenarios over the real protocols: Creatio and each ERP, simulated in another process.

They take a hundred times as long as those in memory, so fewer are played: a fiftieth of ``WEFT_SEEDS`` for
each ERP. ``WEFT_REAL_SEED=7`` plays one seed, ``WEFT_REAL_ERP=d365fo`` with that ERP alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

CHUNK = 3
LEAST = 2
MODULE = "harness.real"
ERPS = ("bc", "d365fo")


def chosen() -> tuple[str, ...]:
    one = os.environ.get("WEFT_REAL_ERP")
    if one is not None and one not in ERPS:
        raise ValueError(f"WEFT_REAL_ERP={one}: {' or '.join(ERPS)} is expected")
    return (one,) if one else ERPS


def chunks() -> list[tuple[str, int, int]]:
    """(ERP, first seed, how many) of each test."""
    if one := os.environ.get("WEFT_REAL_SEED"):
        return [(erp, int(one), 1) for erp in chosen()]
    if "WEFT_SEED" in os.environ:
        return []
    wanted = max(LEAST, int(os.environ.get("WEFT_SEEDS") or 0) // 50)
    firsts = range(1, wanted + 1, CHUNK)
    return [(erp, first, min(CHUNK, wanted - first + 1)) for erp in chosen() for first in firsts]


@pytest.mark.parametrize(("erp", "first", "count"), chunks())
@pytest.mark.timeout(0)
def test_both_systems_hold_what_the_rules_say(
    play: Callable[..., list[dict[str, Any]]], tell: Callable[..., str], erp: str, first: int, count: int
) -> None:
    results = play(first, count, "--erp", erp, module=MODULE)
    assert [one["seed"] for one in results] == list(range(first, first + count))
    failed = [one for one in results if one["problem"]]
    assert not failed, "\n\n".join(tell(one, MODULE, erp) for one in failed)


@pytest.mark.timeout(0)
def test_a_broken_engine_is_noticed_over_the_wire(play: Callable[..., list[dict[str, Any]]]) -> None:
    results = play(1, 12, "--mutant", "left_always_wins", "--stop", module=MODULE)
    assert results[-1]["problem"]


def test_a_failing_seed_tells_how_to_play_it_again(tell: Callable[..., str]) -> None:
    text = tell({"seed": 7, "problem": "twice", "script": []}, MODULE, "d365fo")
    assert "seed 7 with d365fo: twice" in text
    assert "WEFT_REAL_ERP=d365fo WEFT_REAL_SEED=7 make simulate" in text
    assert "python -m harness.real --erp d365fo 7 --script" in text
