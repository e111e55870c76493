"""What connector authors import: the contract suite, the simulator base, fault injection.

Every name is loaded when it is first asked for, so that importing a simulator costs no contract suite.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.testing.contract import (
        Broken,
        Harness,
        LineSubject,
        Running,
        SimulatorHarness,
        SimulatorRunning,
        Subject,
        Unsupported,
        checks,
        connector_contract,
        run_all,
        run_check,
    )
    from weft.testing.simulator import Fault, SimClock, SimSettings, Simulator, serve

_SIMULATOR = ("Fault", "SimClock", "SimSettings", "Simulator", "serve")

__all__ = [
    "Broken",
    "Fault",
    "Harness",
    "LineSubject",
    "Running",
    "SimClock",
    "SimSettings",
    "Simulator",
    "SimulatorHarness",
    "SimulatorRunning",
    "Subject",
    "Unsupported",
    "checks",
    "connector_contract",
    "run_all",
    "run_check",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = "weft.testing.simulator" if name in _SIMULATOR else "weft.testing.contract"
    return getattr(import_module(place), name)
