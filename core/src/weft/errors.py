"""Errors that core, connectors and commands share.

A command turns them into its exit code: configuration and usage 2, an endpoint that is down 3.
"""

from __future__ import annotations


class WeftError(Exception):
    """Anything weft reports to its user on purpose; the text says what is wrong and what to do."""

    exit_code = 1


class ConfigError(WeftError):
    """The configuration (or a mapping, or a command's arguments) must be changed by a person."""

    exit_code = 2


class PluginError(ConfigError):
    """A plugin is missing or failed to load."""


class StateError(ConfigError):
    """The state database cannot be used: locked by another process, of a newer version, unreachable."""


class NoState(StateError):
    """There is no state yet where one was to be looked at; the first sync makes it."""


class StateDown(StateError):
    """The database server of the state does not answer, or cannot serve now; trying later helps."""

    exit_code = 3


class OldSchema(StateError):
    """The state was written by an earlier version, and whoever looks at it may not migrate it."""


class EndpointDown(WeftError):
    """A system does not answer, or answers that it cannot serve now; trying later helps."""

    exit_code = 3

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AuthError(ConfigError):
    """A system refused the credentials; its own words, never the credentials."""

    exit_code = 3
