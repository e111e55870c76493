"""Wrappers around the connectors of weft, one of each sort."""

__version__ = "0.1.0"
