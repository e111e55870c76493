"""A local server that speaks the protocol of Dynamics 365 Business Central, for tests, demos and connector authors."""

from weft_bc.simulator.server import AUDIENCE, CLIENT_ID, CLIENT_SECRET, BusinessCentralSimulator, simulators
from weft_bc.simulator.settings import Settings

__all__ = ["AUDIENCE", "CLIENT_ID", "CLIENT_SECRET", "BusinessCentralSimulator", "Settings", "simulators"]
