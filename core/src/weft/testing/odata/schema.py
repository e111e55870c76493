"""The shape of a simulated system: entity types, enums, actions. Read by the store, the filter and ``$metadata``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Property:
    """One property. ``type`` is an Edm name (``Edm.String`` …) or ``Namespace.Enum`` of an :class:`EnumType`.

    ``default`` is the value in rows that lack the column; ``column`` the column it is stored in, where a set shows
    it under another name. ``annotations``: term -> value for ``$metadata``; a bool, a text, or a text in a list of
    one for a member of an enum.
    """

    name: str
    type: str = "Edm.String"
    nullable: bool = True
    max_length: int | None = None
    precision: int | None = None
    scale: int | str | None = None
    default: object = None
    column: str | None = None
    annotations: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Navigation:
    """A navigation property.

    To one: ``column`` is the local foreign key column holding the target's key. To many: ``collection`` is true
    and ``remote_column`` is the target's column that holds this row's key. ``target`` is an entity type name.
    """

    name: str
    target: str
    column: str | None = None
    collection: bool = False
    remote_column: str | None = None
    partner: str | None = None
    contains_target: bool = False
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class EnumType:
    """``members`` are the wire names in order; values count from 0 unless pairs (name, value) are given."""

    name: str
    members: Sequence[str | tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Action:
    """A bound action (``bound_to`` is an entity type name) without parameters, or with (name, Edm type) pairs.
    ``on_collection``: bound to the set in place of one record."""

    name: str
    bound_to: str
    parameters: Sequence[tuple[str, str]] = ()
    returns: str | None = None
    on_collection: bool = False


@dataclass(frozen=True, slots=True)
class EntityType:
    """One entity type; ``set_name`` is None for a type without an entity set of its own.

    ``key`` names the property rows are filed under. ``published_key`` names those of the key in ``$metadata`` where
    it has several parts. ``properties`` and ``navigations`` keep the order they are published in.
    """

    name: str
    set_name: str | None
    key: str
    properties: Mapping[str, Property]
    navigations: Mapping[str, Navigation] = field(default_factory=dict)
    published_key: Sequence[str] = ()
    annotations: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """Everything behind one service root."""

    namespace: str
    types: Mapping[str, EntityType]
    container: str = "Container"
    enums: Mapping[str, EnumType] = field(default_factory=dict)
    actions: Sequence[Action] = ()


def properties(*items: Property) -> dict[str, Property]:
    """``properties(Property("Id", "Edm.Guid"), …)`` as the mapping :class:`EntityType` wants."""
    return {item.name: item for item in items}


def navigations(*items: Navigation) -> dict[str, Navigation]:
    """As :func:`properties`, for navigation properties."""
    return {item.name: item for item in items}
