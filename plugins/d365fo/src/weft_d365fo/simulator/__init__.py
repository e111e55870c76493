"""A local server that speaks the protocol of Dynamics 365 Finance & Operations, for tests, demos and authors."""

from weft_d365fo.simulator.server import CLIENT_ID, CLIENT_SECRET, FinanceOperationsSimulator, simulators
from weft_d365fo.simulator.settings import Settings

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "FinanceOperationsSimulator", "Settings", "simulators"]
