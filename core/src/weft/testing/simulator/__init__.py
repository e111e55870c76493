"""Local servers that speak a system's real protocol: base class, faults, clock, serving."""

from weft.testing.simulator.base import LoggedRequest, SimSettings, Simulator
from weft.testing.simulator.clock import SimClock
from weft.testing.simulator.faults import Fault, FaultControl
from weft.testing.simulator.serve import Served, serve, serve_in_process, serve_in_thread

__all__ = [
    "Fault",
    "FaultControl",
    "LoggedRequest",
    "Served",
    "SimClock",
    "SimSettings",
    "Simulator",
    "serve",
    "serve_in_process",
    "serve_in_thread",
]
