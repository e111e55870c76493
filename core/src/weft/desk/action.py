"""One thing a person may do: its name, who may, what it takes and what it answers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from weft.desk.desk import Desk

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
"""Each may do all that those before it may."""


Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""The number of a row, as far as the state can count."""


def _in_time(value: datetime) -> datetime:
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies beyond the calendar") from None
    return value


Time = Annotated[datetime, AfterValidator(_in_time)]
"""A time that the state can hold."""


class Wanted(BaseModel):
    """What an action is asked to do: unknown names are refused, and so is text that no database holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="after")
    def _storable(self) -> Self:
        for name in type(self).model_fields:
            if _has_nul(getattr(self, name)):
                raise ValueError(f"{name} holds a character NUL")
        return self


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(inner) for inner in (*value, *value.values()))
    if isinstance(value, list):
        return any(_has_nul(inner) for inner in value)
    return is_dataclass(value) and any(_has_nul(getattr(value, one.name)) for one in fields(value))


class Count(BaseModel):
    """How many were dealt with."""

    count: int


W = TypeVar("W", bound=BaseModel)
D = TypeVar("D", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Action(Generic[W, D]):
    """``name`` is ``noun.verb``; the HTTP API serves it as ``POST /api/v1/noun/verb``."""

    name: str
    role: Role
    wanted: type[W]
    done: type[D]
    run: Callable[[Desk, W], Awaitable[D]]

    @property
    def doc(self) -> str:
        return inspect.cleandoc(self.run.__doc__ or "")


def action(name: str, role: Role = "operator") -> Callable[[Callable[[Desk, W], Awaitable[D]]], Action[W, D]]:
    """Makes an action of ``async def do(desk: Desk, wanted: Model) -> Model``."""

    def make(function: Callable[[Desk, W], Awaitable[D]]) -> Action[W, D]:
        hints: dict[str, Any] = get_type_hints(function)
        return Action(name, role, hints["wanted"], hints["return"], function)

    return make


def may(role: Role, needed: Role) -> bool:
    """Whether somebody with ``role`` may do what needs ``needed``."""
    return ROLES.index(role) >= ROLES.index(needed)


@dataclass(frozen=True, slots=True)
class Question(Generic[W]):
    """Something to be looked up. ``path`` is where the HTTP API serves it, below ``/api/v1``."""

    path: str
    wanted: type[W]
    answer: Any
    run: Callable[[Desk, W], Awaitable[Any]]

    @property
    def doc(self) -> str:
        return inspect.cleandoc(self.run.__doc__ or "")


def question(path: str) -> Callable[[Callable[[Desk, W], Awaitable[Any]]], Question[W]]:
    """Makes a question of ``async def look(desk: Desk, wanted: Model) -> Answer``."""

    def make(function: Callable[[Desk, W], Awaitable[Any]]) -> Question[W]:
        hints: dict[str, Any] = get_type_hints(function)
        return Question(path, hints["wanted"], hints["return"], function)

    return make
