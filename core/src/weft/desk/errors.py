"""What a person asks for and cannot have."""

from __future__ import annotations

from weft.errors import ConfigError


class NotThere(ConfigError):
    """There is no such issue, link, run or proof."""


class NotPossible(ConfigError):
    """It is there, but not in a state in which this can be done to it."""
