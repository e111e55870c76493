"""Durations."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.config.values import parse_duration, spell_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h 30m", 5400),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1w", 604800),
        ("90", 90),
        (90, 90),
        (Decimal("0.5"), 0.5),
        (0, 0),
    ],
)
def test_spellings(written: Any, seconds: float) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["", "m", "5 minutes", "-5m", -1, True, None, "1.5h", "5M", [5], "٥m", 10**12])
def test_anything_else_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@given(st.integers(min_value=0, max_value=10 * 365 * 86400))
def test_what_is_spelt_reads_back(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(spell_duration(duration)) == duration
