"""Editions: packs of flows, written as data, with what each connector adds for its side.

An edition names entities and the roles ``{crm}`` and ``{erp}``, no systems. A connector adds, in a file of its own
(:attr:`weft.hookspecs.Connector.editions`), settings worth seeing and, by flow, the variants it takes part with and
the steps due afterwards; what it says cannot be done narrows a flow or leaves it out, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from weft import yamlpos
from weft.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EditionFlow(_Strict):
    """A flow of an edition. ``body`` is YAML with comments; ``{crm}`` and ``{erp}`` stand for the connections."""

    name: str
    entity: str
    note: str
    body: str
    variants: str = Field("", description="how connectors call this use of the entity, where there are several")


class Section(_Strict):
    about: str
    flows: list[EditionFlow]


class Edition(_Strict):
    title: str
    sections: list[Section]


class Part(_Strict):
    """What a connector adds to a flow of an edition."""

    variants: list[str] = Field(default_factory=list, description="variants it takes part with")
    after: list[str] = Field(default_factory=list, description="steps due after a record was written")
    left_out: str = Field("", description="why the flow is only written as a comment")


class Parts(_Strict):
    """What a connector adds to an edition."""

    settings: dict[str, Any] = Field(default_factory=dict, description="settings of the connection worth seeing")
    notes: list[str] = Field(default_factory=list, description="what people have to set up in the system, a line each")
    flows: dict[str, Part] = Field(default_factory=dict, description="by the flow's name")


def names() -> list[str]:
    """The editions there are."""
    folder = resources.files(__package__) / "editions"
    return sorted(one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml"))


def edition(name: str) -> Edition:
    """An edition by its name.

    :raises ConfigError: there is none of that name.
    """
    if name not in names():
        raise ConfigError(f"there is no edition {name!r}; there are: {', '.join(names())}")
    return _read(Edition, __package__ or "", f"editions/{name}.yaml")


class _File(RootModel[dict[str, Parts]]):
    """What a connector adds, by edition."""


def parts(place: str | None, name: str) -> Parts:
    """A connector's part of an edition; ``place`` is ``package:file``, None where it adds nothing."""
    if place is None:
        return Parts()
    package, _, file = place.partition(":")
    return _read(_File, package, file).root.get(name, Parts())


def filled(text: str, roles: Mapping[str, str]) -> str:
    """``text`` with the connections in place of ``{crm}`` and ``{erp}``; other braces stay."""
    return re.sub(r"\{(crm|erp)\}", lambda found: roles[found[1]], text)


def _read(model: type[Model], package: str, file: str) -> Model:
    text = (resources.files(package) / file).read_text(encoding="utf-8")
    loaded = yamlpos.load(text, f"{package}/{file}")
    try:
        return model.model_validate(loaded.data)
    except ValidationError as error:
        raise ConfigError("\n".join(yamlpos.explain(error, loaded, model))) from None
