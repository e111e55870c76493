"""weft connector for Creatio CRM."""

__version__ = "0.1.0"
