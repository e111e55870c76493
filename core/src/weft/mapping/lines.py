"""One collection of a document's lines, compiled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from weft.mapping import document
from weft.mapping.expression import Expression, ExpressionError
from weft.mapping.reading import View, reader
from weft.mapping.spec import FieldSpec
from weft.mapping.tables import Tables
from weft.mapping.writing import writer
from weft.model.entity import EntityType
from weft.records import Canonical, Problem, Record


class CompiledLines:
    """How the lines called ``name`` are read and written."""

    def __init__(self, name: str, map_: document.LineMap, entity: EntityType, fields: list[FieldSpec]) -> None:
        self.name = name
        self.map = map_
        self.entity = entity
        self.fields = fields
        self._read = reader(fields)
        self.write = writer(fields, map_.where, entity)
        self.when: Expression | None = None
        self.used: list[str] = []

    def read(
        self,
        records: Sequence[Record],
        canonicals: Sequence[Canonical],
        tables: Tables,
        problems: Sequence[list[Problem]],
    ) -> None:
        """Give documents their lines and say what is wrong with them; the lines of a page are read together."""
        rows: list[Record] = []
        places: list[tuple[int, int]] = []
        for index, record in enumerate(records):
            children = record.children.get(self.name)
            if children is None:
                continue
            canonicals[index].lines[self.name] = []
            for position, row in enumerate(self._ordered(children)):
                try:
                    if self.when is None or self.when.truth(View(row)):
                        rows.append(row)
                        places.append((index, position))
                except ExpressionError as error:
                    problems[index].extend(placed([Problem("", str(error), "expression")], self.name, position))
        wrong: list[list[Problem]] = [[] for _ in rows]
        found = self._read(rows, tables, wrong)
        for row, fields, mine, (index, position) in zip(rows, found, wrong, places, strict=True):
            problems[index].extend(placed(mine, self.name, position))
            document_ = canonicals[index]
            document_.lines[self.name].append(
                Canonical(
                    self.entity.name,
                    row.object,
                    row.key,
                    fields,
                    row.company or document_.company,
                    version=row.version,
                    changed_at=row.changed_at,
                    changed_by=row.changed_by,
                )
            )

    def _ordered(self, rows: Sequence[Record]) -> Sequence[Record]:
        order = self.map.order
        if order is None or any(row.data.get(order) is None for row in rows):
            return rows
        try:
            return sorted(rows, key=lambda row: row.data[order])
        except TypeError:  # numbers and texts mixed: leave them in the system's order
            return rows


def placed(problems: Iterable[Problem], collection: str, index: Any) -> Iterable[Problem]:
    """Problems of one line as problems of its document."""
    for one in problems:
        name = f"{collection}[{index}]" + (f".{one.field}" if one.field else "")
        yield Problem(name, one.message, one.code, one.entity, one.key)
