"""The log: where it goes, how a line looks, what it says about the work at hand."""

from __future__ import annotations

import copy
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weft.logscope import NAMES, RECORDS, current
from weft.net.secrets import RedactingFilter

if TYPE_CHECKING:
    from weft.config.models import Log
    from weft.net.secrets import Redactor

SHORT = {"run": 8, "request": 8}
"""Characters of an id that a line for people shows."""


def start(settings: Log, folder: Path, redactor: Redactor, *, level: str | None, debug: bool) -> logging.Handler:
    """Log as ``settings`` say, secrets masked; ``level`` goes before them. The handler is for :func:`stop`.

    ``folder`` is where a relative file lies. ``debug`` shows tracebacks on the screen too.
    """
    handler: logging.Handler
    if settings.file is not None:
        handler = logging.FileHandler(folder / settings.file, encoding="utf-8")
    else:
        handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter(redactor))
    on_screen = settings.file is None and not debug
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter(traceback=not on_screen))
    logger = logging.getLogger("weft")
    # On a terminal the tables tell what a command did; a log on the same screen starts at warnings.
    quiet = settings.level == "info" and settings.file is None
    if quiet and level is None:
        handler.addFilter(lambda record: record.name != f"{logger.name}.{RECORDS}")  # the tables count those
    logger.setLevel((level or ("warning" if quiet else settings.level)).upper())
    logger.addHandler(handler)
    logger.propagate = False
    return handler


def stop(handler: logging.Handler) -> None:
    """Take a handler away again."""
    logger = logging.getLogger("weft")
    logger.removeHandler(handler)
    handler.close()
    logger.propagate = True


def _about(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """What a line is about: by its own ``extra``, else by the work it was written in."""
    around = current()
    for name in NAMES:
        value = getattr(record, name, None) or around.get(name)
        if value:
            yield name, str(value)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``logger``, ``message``, and what of
    :data:`weft.logscope.NAMES` is known."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        line = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        line.update(_about(record))
        if record.exc_text:
            line["traceback"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Lines for people; on the screen a traceback is left out unless ``--debug`` asks for it."""

    def __init__(self, *, traceback: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.traceback = traceback

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        if not self.traceback:
            record.exc_info = record.exc_text = record.stack_info = None
        about = " ".join(f"{name}={value[: SHORT.get(name)]}" for name, value in _about(record))
        if about:
            record.msg, record.args = f"{record.getMessage()} [{about}]", None
        return super().format(record)
