"""weft connector for Dynamics 365 Finance and Operations."""

__version__ = "0.1.0"
