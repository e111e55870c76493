"""Isolate: a record on which a mapping, a rule or a plugin fails is that record's failure, never its batch's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from weft.errors import ConfigError, WeftError
from weft.mapping.expression import ExpressionError
from weft.records import Problem

if TYPE_CHECKING:
    from weft.sync.run import Run

R = TypeVar("R")
T = TypeVar("T")


def of_record(error: Exception) -> bool:
    """Does an error come from one record's values? A system that is down, say, does not."""
    return isinstance(error, ExpressionError) or not isinstance(error, WeftError)


def problem(run: Run, error: Exception) -> Problem:
    """What is wrong with a record on which something failed. A defect is logged with its trace, once a run."""
    if isinstance(error, ExpressionError):
        return Problem("", run.runtime.redactor(str(error)), "expression")
    words = run.runtime.redactor(f"a defect: {type(error).__name__}: {error}")
    if words not in run.defects:
        run.defects.add(words)
        run.runtime.log.error("flow %s: %s", run.flow.name, words, exc_info=error)
    return Problem("", words, "defect")


async def isolated(
    run: Run, name: str, records: Sequence[R], call: Callable[[Sequence[R]], Awaitable[Sequence[T]]]
) -> list[T | Problem]:
    """``call(records)``: one result a record; a Problem for those on which it fails. What failed as a whole is
    called again by halves.

    :raises ConfigError: there are more or fewer results than records; ``name`` says whose.
    """
    try:
        found = list(await call(records))
    except Exception as error:
        if not of_record(error):
            raise
        if len(records) == 1:
            return [problem(run, error)]
        half = len(records) // 2
        first = await isolated(run, name, records[:half], call)
        return [*first, *await isolated(run, name, records[half:], call)]
    if len(found) != len(records):
        raise ConfigError(f"{name} returned {len(found)} results for {len(records)} records")
    return list(found)
