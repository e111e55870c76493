"""The page ``docs/model.md``, from the code: ``python -m weft.model.page > docs/model.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from weft.model.catalogue import Catalogue
from weft.model.entity import EntityType, Field

_INTRO = """\
# The canonical model

Entities meet in the middle: a mapping says how an object of a system corresponds to one of the
entities below, so any two systems that map the same entity can be joined. This page is written from
the code (`python -m weft.model.page > docs/model.md`).

A canonical record is flat: dotted names group fields (`address.city`). A field is **absent** (not
read, not mapped), **empty** (the system holds nothing) or has a value. Amounts are exact decimals in
the currency of the field named; points in time are UTC; dates have no time. Fields a system has beyond
these pass as `custom.<name>`. Entities of your own are declared in `weft.yaml` under `entities:`
(see [configuration](configuration.md#entities)).

References come in two forms. A reference to a master or document entity (*→ customer*) is translated
to the other system through links. A reference to reference data (*code of currency*) is the code
itself, which means the same on both sides.
"""

_KINDS = {
    "master": ("Master data", "Deleted only as the flow says."),
    "document": ("Documents", "Never deleted without being asked; posted ones are never edited."),
    "ledger": ("Ledger and stock", "Never deleted without being asked."),
    "reference": ("Reference data", "Matched by code, cached, resolved to what the other side wants."),
}


def _type(field: Field, catalogue: Catalogue) -> str:
    if field.entity:
        return f"code of {field.entity}" if catalogue.is_reference(field.entity) else f"→ {field.entity}"
    if field.values:
        return "one of " + ", ".join(f"`{value}`" for value in field.values)
    if field.kind == "money":
        return f"money in `{field.currency}`" if field.currency else "money"
    return {"datetime": "point in time", "integer": "whole number", "boolean": "yes or no"}.get(field.kind, field.kind)


def _table(entity: EntityType, catalogue: Catalogue) -> Iterator[str]:
    yield "| Field | Holds | Meaning |"
    yield "|---|---|---|"
    for name, field in entity.fields.items():
        yield f"| `{name}` | {_type(field, catalogue)} | {field.doc} |"
    yield ""
    for name, line in entity.lines.items():
        yield f"`{name}`: {line.doc}"
        yield ""
        yield from _table(line, catalogue)


def model_page(catalogue: Catalogue | None = None) -> str:
    """The whole page as Markdown."""
    catalogue = catalogue or Catalogue()
    out = [_INTRO]
    for kind, (title, note) in _KINDS.items():
        out += [f"## {title}", "", note, ""]
        for entity in catalogue:
            if entity.kind != kind:
                continue
            out += [f"### {entity.name}", "", f"{entity.title}. {entity.doc}", ""]
            if entity.totals:
                summed = ", ".join(f"`{name}`" for name in entity.totals)
                out += [f"Totals checked against the lines: {summed}.", ""]
            out += _table(entity, catalogue)
    return "\n".join(out).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(model_page())
