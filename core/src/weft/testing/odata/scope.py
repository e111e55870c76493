"""What names in a query mean: entity types, columns, navigation, the type rules in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.schema import EntityType, Navigation, Property
from weft.testing.odata.store import Row, Store, Table
from weft.testing.odata.values import NUMBERS, plain_key

TypeCheck = Callable[[str, str, str, bool], None]
"""``check(operator_kind, left_edm, right_edm, right_is_literal)``: raise to refuse. ``operator_kind`` is the OData
library's name (``Equal``, ``GreaterThan`` …); a literal's edm is its kind (``Null`` for null)."""


def strict_types(operator: str, left: str, right: str, right_is_literal: bool) -> None:
    """The default check, as Microsoft's OData library promotes: numbers among themselves, null with everything, text
    with an enum, a date with an instant. Raises ODataQueryError(kind="types")."""
    if left == right or left == "Null" or right == "Null" or (left in NUMBERS and right in NUMBERS):
        return
    pair = {left, right}
    if pair == {"Edm.Date", "Edm.DateTimeOffset"}:
        return
    if "Edm.String" in pair and any(not edm.startswith("Edm.") for edm in pair):
        return
    raise type_error(operator, left, right)


def type_error(operator: str, left: str, right: str) -> ODataQueryError:
    return ODataQueryError(
        "types",
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{left}' and '{right}' for operator kind '{operator}'.",
        left=left,
        right=right,
        operator=operator,
    )


def _same(text: str) -> str:
    return text


@dataclass(slots=True)
class Scope:
    """Against what names are resolved.

    ``entity``: what the names mean, where a set shows only some columns of the table or other names for them.
    ``fold``: text compares without regard to letter case; None: as the table says. ``ignore_case_names``: property
    names in any case (Business Central). ``forbid_column`` is called with (entity, property name) for each column
    a query names directly and may raise (Creatio refuses flat foreign keys). ``blanks``: Edm type -> the value
    that stands for null on the wire, so that ``eq null`` finds it. ``enum_key``: enum texts are compared after it
    (so that an escaped name equals its caption). ``lambdas``: any/all are served. ``now``: the server's time for
    ``now()``, in wire form.
    """

    store: Store
    table: Table
    check: TypeCheck = strict_types
    fold: bool | None = None
    ignore_case_names: bool = False
    forbid_column: Callable[[EntityType, str], None] | None = None
    blanks: Mapping[str, object] = field(default_factory=dict)
    enum_key: Callable[[str], str] = _same
    lambdas: bool = False
    now: Callable[[], str] | None = None
    entity: EntityType | None = None

    @property
    def shown(self) -> EntityType:
        return self.entity or self.table.entity

    @property
    def folds(self) -> bool:
        return self.table.fold if self.fold is None else self.fold

    def key_for(self, edm: str) -> Callable[[Any], Any]:
        """Comparison key of values of that type that are not None."""
        return plain_key(edm, fold=self.folds) if edm.startswith("Edm.") else self.enum_key

    def member(self, entity: EntityType, name: str) -> Property | Navigation | None:
        """The property or navigation of that name."""
        found: Property | Navigation | None = entity.properties.get(name) or entity.navigations.get(name)
        if found is None and self.ignore_case_names:
            wanted = name.lower()
            for group in (entity.properties, entity.navigations):
                for item in group.values():
                    if item.name.lower() == wanted:
                        return item
        return found

    def property(self, name: str, option: str = "$select", entity: EntityType | None = None) -> Property:
        """The property a name in ``option`` means. Raises ODataQueryError(kind="property")."""
        owner = entity or self.shown
        found = self.member(owner, name)
        if isinstance(found, Property):
            return found
        raise no_property(name, owner, option)


def no_property(name: str, entity: EntityType, option: str) -> ODataQueryError:
    return ODataQueryError(
        "property",
        f"Could not find a property named '{name}' on type '{entity.name}'.",
        name=name,
        type=entity.name,
        option=option,
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A path made usable. ``direct``: the table's own column that holds the value, for indexes; None across a
    navigation."""

    edm: str
    get: Callable[[Row], Any]
    direct: str | None


def resolve(segments: tuple[str, ...], scope: Scope, option: str = "$filter") -> Column:
    """What a path means. Raises ODataQueryError(kind="property" | "unsupported").

    ``Account/Id`` needs no look-up of the account: the local foreign key column holds the value.
    """
    entity = scope.shown
    hops: list[tuple[str, Table]] = []
    for at, name in enumerate(segments):
        found = scope.member(entity, name)
        if found is None:
            raise no_property(name, entity, option)
        last = at == len(segments) - 1
        if isinstance(found, Property):
            if not last:
                raise no_property(segments[at + 1], entity, option)
            if not hops:
                if scope.forbid_column is not None:
                    scope.forbid_column(entity, found.name)
                return _direct(found.type, found.column or found.name, found.default)
            if len(hops) == 1 and found.name == entity.key:
                return _direct(found.type, hops[0][0])
            return Column(found.type, _through(hops, found.name), None)
        if last or found.collection or found.column is None:
            raise ODataQueryError(
                "unsupported", f"The navigation property '{name}' has no single value to use here.", what=name
            )
        target = scope.store[found.target]
        hops.append((found.column, target))
        entity = target.entity
    raise AssertionError("a path has at least one segment")


def _direct(edm: str, column: str, default: object = None) -> Column:
    def get(row: Row) -> Any:
        return row.get(column, default)

    return Column(edm, get, column)


def _through(hops: list[tuple[str, Table]], column: str) -> Callable[[Row], Any]:
    def get(row: Row) -> Any:
        for foreign, table in hops:
            key = row.get(foreign)
            found = table.get(key) if key else None
            if found is None:
                return None
            row = found
        return row.get(column)

    return get
