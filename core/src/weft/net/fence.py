"""The last question before a request leaves: may this process still send it?

A request may wait long for its turn, for a throttle to pass, or between two attempts. Who starts writes says what is
asked each time, right before one goes out; what it raises keeps the request from being sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Ask = Callable[[], Awaitable[None]]
_ask: ContextVar[Ask | None] = ContextVar("weft_fence", default=None)


@contextmanager
def fenced(ask: Ask) -> Iterator[None]:
    """Whatever is sent within, by this task and those it starts, is asked about first; reads are not."""
    token = _ask.set(ask)
    try:
        yield
    finally:
        _ask.reset(token)


async def passed() -> None:
    """Return if nobody minds that a request leaves now. Raises what was raised by whoever was asked."""
    ask = _ask.get()
    if ask is not None:
        await ask()
