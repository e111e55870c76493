"""One thing a person may do: its name, who may, what it takes and what it answers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict

from weft.desk.desk import Desk

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
"""Each may do all that those before it may."""


class Wanted(BaseModel):
    """What an action is asked to do: unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
