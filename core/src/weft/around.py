"""Run your own code around another connector's reads, writes, maps and routes.

Mark functions of a plugin module with :func:`around`::

    @weft.around("read", kind="bc")
    async def mask(call, query):
        async for page in call():
            for record in page.records:
                record.data["email"] = ""
            yield page

    @weft.around("route")
    async def holiday(call, entities):
        targets = await call()
        return [[Target("erp", "DEMF")] for _ in entities] if closed() else targets

``read`` and ``write`` take an asynchronous generator, ``map`` and ``route`` a coroutine function.
``call`` makes the wrapped call; ``call(query=…)`` makes it with a changed argument. Not calling it at
all is a veto: a ``write`` wrapper then yields the outcomes itself. Exceptions of the wrapped call
surface inside the wrapper, where it awaits or iterates it. The first plugin registered is outermost.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

Wrapped = Literal["read", "write", "map", "route"]
_MARK = "__weft_around__"
_ITERATED = ("read", "write")


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A function to run around one hook, for one kind or (None) for all."""

    hook: Wrapped
    kind: str | None
    function: Callable[..., Any]
    arguments: tuple[str, ...]

    def __call__(self, call: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        def proceed(**changes: Any) -> Any:
            return call(**{**arguments, **changes})

        return self.function(proceed, **{name: arguments[name] for name in self.arguments})


def around(hook: Wrapped, *, kind: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a function as running around ``hook`` of connectors of ``kind`` (None: every kind).

    Its first parameter receives the wrapped call; the others are arguments of the hook, by name.

    :raises TypeError: when the function is not an asynchronous generator (``read``, ``write``) or not
        a coroutine function (``map``, ``route``).
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        iterated = hook in _ITERATED
        fits = inspect.isasyncgenfunction(function) if iterated else inspect.iscoroutinefunction(function)
        if not fits:
            shape = "an async generator (async def with yield)" if iterated else "an async function"
            raise TypeError(f"weft.around({hook!r}) wants {shape}; {function.__qualname__} is not")
        names = tuple(inspect.signature(function).parameters)[1:]
        marks: list[Wrapper] = getattr(function, _MARK, [])
        setattr(function, _MARK, [*marks, Wrapper(hook, kind, function, names)])
        return function

    return mark


def wrappers(module: Any) -> list[Wrapper]:
    """All marked functions of a plugin module, in order of definition."""
    return [w for member in vars(module).values() for w in getattr(member, _MARK, ()) if callable(member)]


def wrap(call: Callable[..., Any], wrapping: list[Wrapper], arguments: dict[str, Any]) -> Any:
    """Make ``call(**arguments)`` with the wrappers around it, the first outermost."""
    for wrapper in reversed(wrapping):
        call = partial(_enter, wrapper, call)
    return call(**arguments)


def _enter(wrapper: Wrapper, call: Callable[..., Any], **arguments: Any) -> Awaitable[Any] | AsyncIterator[Any]:
    result: Awaitable[Any] | AsyncIterator[Any] = wrapper(call, arguments)
    return result
