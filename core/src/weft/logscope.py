"""What a log line is about: run, flow, record and request, carried along with the work that writes it.

Context variables belong to the running task, so two runs at once do not mix. The formatters of
:mod:`weft.telemetry.logs` add them to every line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

RECORDS = "records"
"""The logger, below weft's own, of what became of single records."""
NAMES = ("run", "flow", "connection", "record", "request", "remote_request")

_EMPTY: Mapping[str, str] = MappingProxyType({})
_about: ContextVar[Mapping[str, str]] = ContextVar("weft_log_scope", default=_EMPTY)


@contextmanager
def about(**names: str) -> Iterator[None]:
    """Whatever is logged within is about these; the names are those of :data:`NAMES`."""
    token = _about.set({**_about.get(), **{name: value for name, value in names.items() if value}})
    try:
        yield
    finally:
        _about.reset(token)


def current() -> Mapping[str, str]:
    """What is being worked on here."""
    return _about.get()
