"""A mapping document as functions: :func:`compile_mapping`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from weft.mapping import document
from weft.mapping.compiled import CompiledMapping
from weft.mapping.expression import Expression, ExpressionError
from weft.mapping.lines import CompiledLines
from weft.mapping.loading import MappingError
from weft.mapping.rules import Rule, compile_rule
from weft.mapping.spec import FieldSpec, Reporter, specs
from weft.mapping.used import used
from weft.model.currencies import ISO, Currencies
from weft.model.entity import EntityType
from weft.yamlpos import suggest

__all__ = ["CompiledMapping", "RefObject", "compile_mapping"]

RefObject = Callable[[str], str | None]
"""Entity name -> the object in which this connection keeps it, None when it keeps none."""


def compile_mapping(
    mapping: document.Mapping,
    entity: EntityType,
    *,
    kind: str,
    entities: Mapping[str, EntityType] | None = None,
    ref_object: RefObject | None = None,
    currencies: Currencies = ISO,
) -> CompiledMapping:
    """Compile a document for an entity.

    ``entities`` are all canonical entities; ``ref_object`` tells the object in which the connection
    keeps an entity; ``currencies`` how many places amounts have. Raises :class:`MappingError` with every finding,
    one a line.
    """
    report = Reporter(mapping, kind)

    def built(maps: Any, of: EntityType, path: tuple[str, ...], parts: Iterable[str]) -> list[FieldSpec]:
        return specs(maps, of, path, report, entities=entities, ref_object=ref_object, parts=parts)

    if mapping.entity != entity.name:
        report.say(("entity",), f"is {mapping.entity!r}, not {entity.name!r}")
    fields = built(mapping.fields, entity, ("fields",), mapping.parts)
    lines: dict[str, CompiledLines] = {}
    for name, each in mapping.lines.items():
        path = ("lines", name)
        type_ = entity.lines.get(name)
        if type_ is None:
            there = ", ".join(entity.lines) or "none"
            near = suggest(name, list(entity.lines))
            report.say(path, f"{entity.name} has no lines {name!r}{near}; there are: {there}")
            continue
        line_fields = built(each.fields, type_, (*path, "fields"), ())
        lines[name] = CompiledLines(name, each, type_, line_fields)
        lines[name].when = report.expression(each.when, (*path, "when"))
        _needs(line_fields, [(lines[name].when, "when")], each.needs, path, report)
        lines[name].used = used(line_fields, [(lines[name].when, each.needs)], None)[""]
        _known(each.match, type_, (*path, "match"), report)
    when = report.expression(mapping.when, ("when",))
    locked = report.expression(mapping.locked, ("locked",))
    _needs(fields, [(when, "when"), (locked, "locked")], mapping.needs, (), report)
    _known(mapping.match, entity, ("match",), report)
    _known([mapping.returns], entity, ("returns",), report)
    accepts, follow = (_rule(mapping, name, entity, report) for name in ("accepts", "follow"))
    if report.messages:
        raise MappingError("\n".join(report.messages))
    return CompiledMapping(mapping, entity, kind, fields, lines, when, locked, accepts, follow, currencies)


def _rule(mapping: document.Mapping, name: str, entity: EntityType, report: Reporter) -> Rule | None:
    text = getattr(mapping, name)
    if text is None:
        return None
    try:
        return compile_rule(text, at=mapping.at(name), fields=entity.fields)
    except ExpressionError as error:
        report.messages.append(str(error))
        return None


def _needs(
    fields: Iterable[FieldSpec],
    conditions_: Iterable[tuple[Expression | None, str]],
    needs: list[str] | None,
    path: tuple[str, ...],
    report: Reporter,
) -> None:
    """An expression that may read anything must be told what it reads."""
    message = "it cannot be told which fields this expression reads: list them in `needs`"
    for spec in fields:
        if spec.in_ is not None and spec.in_.reads is None and spec.map.needs is None:
            report.say((*path, "fields", spec.label, "in"), message)
    for expression, name in conditions_:
        if expression is not None and expression.reads is None and needs is None:
            report.say((*path, name), message)


def _known(lists: Iterable[Iterable[str]], entity: EntityType, path: tuple[str, ...], report: Reporter) -> None:
    for names in lists:
        for name in names:
            if entity.field(name) is None:
                near = suggest(name, list(entity.fields))
                report.say(path, f"{entity.name} has no field {name!r}{near}")
