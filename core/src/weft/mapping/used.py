"""Which native fields a mapping looks at: those a read must select and a fingerprint covers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.mapping import document
from weft.mapping.expression import Expression
from weft.mapping.spec import FieldSpec


def used(
    fields: Iterable[FieldSpec],
    conditions_: Iterable[tuple[Expression | None, list[str] | None]],
    mapping: document.Mapping | None,
) -> dict[str, list[str]]:
    """Native fields whose values matter: '' -> those of the main object, else by part and lines."""
    found: dict[str, list[str]] = {"": []}
    if mapping is not None:
        found.update({name: [] for name in mapping.parts})
    collections = frozenset(mapping.lines) if mapping is not None else frozenset()

    def add(name: str, reads: Any) -> None:
        if (name in found and name) or name in collections:
            inside = found.setdefault(name, [])
            inside.extend(reads if isinstance(reads, dict) else ())
        elif isinstance(reads, dict) and reads:
            for inner, further in reads.items():
                add(f"{name}/{inner}", further)
        else:
            found[""].append(name)

    def expression(one: Expression | None, needs: list[str] | None) -> None:
        if one is None:
            return
        for name, reads in (one.reads if one.reads is not None and needs is None else {}).items():
            add(name, reads)
        for label in needs or ():
            part, dot, inner = label.partition(".")
            if dot and (part in found or part in collections):
                found.setdefault(part, []).append(inner)
            else:
                found[""].append(label)

    for spec in fields:
        if not spec.readable:
            continue
        if spec.in_ is not None:
            expression(spec.in_, spec.map.needs)
        else:
            found[spec.part or ""].append(spec.native)
    for one, needs in conditions_:
        expression(one, needs)
    return {name: unique(names) for name, names in found.items()}


def unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
