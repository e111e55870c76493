"""Which keys a pydantic model allows at a path; for error messages."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


def allowed_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys a document may use at ``path``; empty when the path leads to no model."""
    here: list[Any] = [model]
    for step in path:
        further = [found for piece in here for found in _step(piece, step)]
        # A step that leads nowhere is a label pydantic put in (a union's member): stay where we are.
        here = further or here
    names: list[str] = []
    for piece in here:
        for candidate in _models(piece):
            names += [name for name in _names(candidate) if name not in names]
    return names


def _names(model: type[BaseModel]) -> dict[str, Any]:
    return {
        (info.alias or name): info.annotation for name, info in model.model_fields.items() if info.exclude is not True
    }


def _step(piece: Any, step: str | int) -> Iterator[Any]:
    for option in _options(piece):
        if isinstance(option, type) and issubclass(option, BaseModel):
            names = _names(option)
            if step in names:
                yield names[str(step)]
            continue
        origin, arguments = get_origin(option), get_args(option)
        if origin in (dict, types.MappingProxyType) or (origin and issubclass(origin, dict)):
            if len(arguments) == 2:
                yield arguments[1]
        elif origin in (list, tuple, set, frozenset) and isinstance(step, int) and arguments:
            yield arguments[0]


def _models(piece: Any) -> Iterator[type[BaseModel]]:
    for option in _options(piece):
        if isinstance(option, type) and issubclass(option, BaseModel):
            yield option


def _options(piece: Any) -> Iterator[Any]:
    origin = get_origin(piece)
    if origin is Annotated:
        yield from _options(get_args(piece)[0])
    elif origin in (Union, types.UnionType):
        for argument in get_args(piece):
            yield from _options(argument)
    elif hasattr(piece, "__value__"):
        yield from _options(piece.__value__)
    else:
        yield piece
