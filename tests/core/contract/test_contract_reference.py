"""The suite passes a good connector, whole: no check of it is skipped."""

from __future__ import annotations

import pytest
from refconnector import ReferenceConnector
from refharness import harness_for

from weft.testing import checks, connector_contract, run_check

TestReference = connector_contract(harness_for(ReferenceConnector()))


@pytest.mark.parametrize("name", list(checks()))
async def test_nothing_is_skipped(name: str) -> None:
    """Unsupported would come out here as an error."""
    await run_check(harness_for(ReferenceConnector()), name)
