"""A write in progress, and what a rule can do with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.dimensions import Dimensions
from weft_d365fo.simulator.errors import Refused, refused
from weft_d365fo.simulator.schema import label_of
from weft_d365fo.simulator.tables import Shown
from weft_d365fo.simulator.views import TABLE_NAMES
from weft_d365fo.simulator.world import Company, World


@dataclass
class Write:
    """``given``: columns the request names; ``values``: those plus what was defaulted. ``row``: the row as it is,
    None on create. Columns are those of the table."""

    world: World
    shown: Shown
    company: Company | None
    given: dict[str, Any]
    row: Row | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> str:
        return self.shown.view.table

    @property
    def creating(self) -> bool:
        return self.row is None

    @property
    def dimensions(self) -> Dimensions:
        return Dimensions(self.world)

    def get(self, column: str) -> Any:
        """The value as it will be."""
        if column in self.values:
            return self.values[column]
        if self.row is not None and column in self.row:
            return self.row[column]
        return self.world.filed(self.table).blanks.get(column)

    def changes(self, *columns: str) -> bool:
        """Is one of them given, with another value than the row has?"""
        return any(
            column in self.given
            and (self.row is None or self.given[column] != self.world.value(self.table, self.row, column))
            for column in columns
        )

    def default(self, column: str, value: Any) -> None:
        """Fill what the request left out. A column given, even as an empty text, stays as it is."""
        if column not in self.given and value not in (None, ""):
            self.values[column] = value

    def set(self, column: str, value: Any) -> None:
        self.values[column] = value

    def home(self) -> Company:
        """The company of the row; for tables that have one."""
        if self.company is None:
            raise refused("Error", "The company is missing.")
        return self.company

    def number(self, column: str, sequence: str, form: str, *, always: bool = False) -> None:
        """Take a number where none is given; one given is accepted only if the sequence allows it."""
        settings = self.world.settings
        company = self.home().id
        if always:
            self.set(column, self.world.next_number(company, sequence, form))
        elif not self.given.get(column):
            if sequence in settings.automatic_numbers or sequence not in _BY_PARAMETER:
                self.set(column, self.world.next_number(company, sequence, form))
        elif sequence not in settings.manual_numbers and sequence in _MANUAL_ASKED:
            raise refused("Error", f"Number sequence {sequence} does not allow a number to be entered manually.")

    def related(self, table: str, **key: Any) -> Row | None:
        return self.world.get(table, **key)


_BY_PARAMETER = frozenset({"customers", "vendors", "products"})
_MANUAL_ASKED = frozenset(
    {"customers", "vendors", "products", "sales orders", "purchase orders", "quotations", "journals", "projects"}
)


@dataclass(frozen=True)
class Relation:
    """``column`` names a row of ``table`` by ``other``. ``company``: the table has one row per company."""

    column: str
    table: str
    other: str
    related: str  # label of the related table
    company: bool = True


class Rule:
    """What happens on writes to one table. Subclasses override what they need."""

    relations: Sequence[Relation] = ()

    def default(self, w: Write) -> None:
        """After the supplied fields: fill the rest."""

    def check(self, w: Write) -> None:
        """Raise Refused."""

    def after(self, w: Write, row: Row) -> Row:
        """The row is written; do what follows from it. Returns the row as it then is."""
        return row

    def touches(self, w: Write) -> bool:
        """Does this update touch the table itself, so that its stamp moves?"""
        return True

    def check_delete(self, world: World, row: Row) -> None:
        """Raise Refused."""

    def deleted(self, world: World, row: Row) -> None:
        """The row is gone; do what follows from it."""

    def check_relations(self, w: Write) -> None:
        """validateField of the columns given."""
        for relation in self.relations:
            value = w.given.get(relation.column)
            if not value:
                continue
            if not self._exists(w, relation, value):
                name = w.shown.names.get(relation.column, relation.column)
                raise not_found(w.shown.set.aot, name, value, relation.related)

    @staticmethod
    def _exists(w: Write, relation: Relation, value: Any) -> bool:
        filed = w.world.filed(relation.table)
        if set(filed.key) == ({"dataAreaId", relation.other} if relation.company else {relation.other}):
            key = {relation.other: value}
            if relation.company:
                key["dataAreaId"] = w.home().id
            return w.world.get(relation.table, **key) is not None
        return bool(w.world.find(relation.table, relation.other, value, w.home().id if relation.company else None))


def not_found(aot: str, prop: str, value: Any, related: str) -> Refused:
    """A foreign key leads nowhere."""
    return refused(
        "Warning",
        f"The value '{value}' in field '{label_of(prop)}' is not found in the related table '{related}'.",
        f"validateField failed on field '{aot}.{prop}'",
    )


def must_be_filled(prop: str, table: str) -> Refused:
    name = TABLE_NAMES.get(table, table)
    return refused(
        "Warning",
        f"Field '{label_of(prop)}' must be filled in.",
        f"validateWrite failed on data source '{name} ({name})'",
    )
