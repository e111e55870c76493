"""The contract suite: one line in a test file holds a connector against everything core relies on.

See ``docs/testing-connectors.md``. Nothing heavy is imported before a name is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.testing.contract.harness import Harness, LineSubject, Running, Subject, Unsupported
    from weft.testing.contract.outcome import Broken, Check
    from weft.testing.contract.simulator import SimulatorHarness, SimulatorRunning
    from weft.testing.contract.suite import checks, connector_contract, run_all, run_check

_PLACES = {
    "Broken": "outcome",
    "Check": "outcome",
    "Harness": "harness",
    "LineSubject": "harness",
    "Running": "harness",
    "SimulatorHarness": "simulator",
    "SimulatorRunning": "simulator",
    "Subject": "harness",
    "Unsupported": "harness",
    "checks": "suite",
    "connector_contract": "suite",
    "run_all": "suite",
    "run_check": "suite",
}

__all__ = [
    "Broken",
    "Check",
    "Harness",
    "LineSubject",
    "Running",
    "SimulatorHarness",
    "SimulatorRunning",
    "Subject",
    "Unsupported",
    "checks",
    "connector_contract",
    "run_all",
    "run_check",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
