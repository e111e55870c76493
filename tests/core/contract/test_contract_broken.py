"""The suite fails connectors that are broken in one way each, and says by which check."""

from __future__ import annotations

import pytest
import refbroken_read
import refbroken_write
from refcases import CASES, Case
from refharness import harness_for

from weft.testing import Broken, checks, run_check

PAIRS = [(case, name) for case in CASES for name in case.caught_by]


@pytest.mark.parametrize(("case", "name"), PAIRS, ids=[f"{c.connector.__name__}-{name}" for c, name in PAIRS])
async def test_caught(case: Case, name: str) -> None:
    with pytest.raises(Broken) as caught:
        await run_check(harness_for(case.connector()), name)
    said = str(caught.value)
    assert said.startswith(f"booking: {name}: ")
    assert f"The contract: {checks()[name].says}" in said
    assert "It is written in: weft." in said


def test_every_check_catches_somebody() -> None:
    """A check that no broken connector fails might check nothing."""
    assert {case.connector.__module__ for case in CASES} == {refbroken_read.__name__, refbroken_write.__name__}
    assert len(CASES) >= 18
    assert checks().keys() == {name for case in CASES for name in case.caught_by}
