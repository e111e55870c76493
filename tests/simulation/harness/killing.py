"""A process that really ends: an event loop that counts what it does and leaves at a given count.

The loop runs everything in one thread, in an order that depends on nothing but the program, so that a
count means the same place each time. Work for threads (the state's transactions) is done in line, with
a count before and after; statements and commits count too.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

KILLED = 137


class Steps:
    """Counts steps and ends the process at one of them; writes to the systems are counted apart."""

    def __init__(self, last: int | None = None, last_write: tuple[int, str] | None = None) -> None:
        self.count = 0
        self.writes = 0
        self._last = last
        self._last_write = last_write

    def step(self) -> None:
        self.count += 1
        if self.count == self._last:
            os._exit(KILLED)

    def write(self, when: str) -> None:
        """Around a write to a system; ``when`` is before or after."""
        self.writes += when == "before"
        if (self.writes, when) == self._last_write:
            os._exit(KILLED)

    def watch_transactions(self, engine: Engine) -> None:
        """Statements and commits of the state are steps: a process may end amid a transaction."""

        def statement(*_: Any) -> None:
            self.step()

        event.listen(engine, "before_cursor_execute", statement)
        event.listen(engine, "commit", statement)


class Loop(asyncio.SelectorEventLoop):
    """Every callback is a step; threads are not used."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        return super().call_soon(self._counted, callback, args, context=context)

    def _counted(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._steps.step()
        callback(*args)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        self.call_soon(self._in_line, future, func, args)
        return future

    def _in_line(self, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if future.cancelled():
            return
        try:
            result = func(*args)
        except Exception as error:
            future.set_exception(error)
        else:
            self._steps.step()
            future.set_result(result)
