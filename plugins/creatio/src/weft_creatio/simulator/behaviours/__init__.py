"""What Creatio 8.1 does on the server around the saves of its stock objects, one topic a file."""

from __future__ import annotations

from weft_creatio.simulator.pipeline import Handlers

from . import documents, leads, lines, numbers, parties, payments

_TOPICS = (numbers, parties, leads, documents, lines, payments)


def stock_handlers() -> dict[str, Handlers]:
    """Handlers of every stock object that has any, in the order they run."""
    handlers: dict[str, Handlers] = {}
    for topic in _TOPICS:
        topic.register(lambda name: handlers.setdefault(name, Handlers()))
    return handlers
