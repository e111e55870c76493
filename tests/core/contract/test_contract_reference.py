"""The suite passes a good connector, whole: no check of it is skipped."""

from __future__ import annotations

import pytest
from refconnector import ReferenceConnector
from refharness import harness_for

from weft.testing import checks, run_check


@pytest.mark.parametrize("name", list(checks()))
async def test_passes(name: str) -> None:
    """A check that is skipped (Unsupported) would fail here too."""
    await run_check(harness_for(ReferenceConnector()), name)
