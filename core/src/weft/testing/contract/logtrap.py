"""Everything that is logged while a check runs, as text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class LogTrap(logging.Handler):
    """Collects every record of every logger, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextmanager
def trapped() -> Iterator[LogTrap]:
    """Log at the most talkative level into a trap alone, and put everything back afterwards."""
    trap = LogTrap()
    root, weft = logging.getLogger(), logging.getLogger("weft")
    levels, handlers, propagate = (root.level, weft.level), root.handlers, weft.propagate
    root.handlers = [trap]
    weft.propagate = True
    root.setLevel(logging.DEBUG)
    weft.setLevel(logging.DEBUG)
    try:
        yield trap
    finally:
        root.handlers = handlers
        root.setLevel(levels[0])
        weft.setLevel(levels[1])
        weft.propagate = propagate
