"""Canonical fields as native ones.

An update writes what it is given. A create also writes defaults, leaves EMPTY fields out and checks
what is required. EMPTY becomes None: how a system spells *nothing* is its connector's business.
Amounts are rounded half away from zero, as accountants do. Nothing is cut or replaced silently: text
that is too long, or holds control characters, is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from weft.mapping.casts import (
    Unfit,
    spelled,
    to_boolean,
    to_date,
    to_datetime,
    to_decimal,
    to_integer,
    to_text,
)
from weft.mapping.exact import rounded
from weft.mapping.expression import ExpressionError
from weft.mapping.spec import FieldSpec
from weft.mapping.tables import Tables
from weft.model.currencies import ISO, Currencies
from weft.model.entity import EntityType
from weft.model.values import ABSENT, Fields, Ref
from weft.records import Native, Problem

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CASTS: dict[str, Callable[[Any], Any]] = {
    "text": to_text,
    "integer": to_integer,
    "decimal": to_decimal,
    "boolean": to_boolean,
    "date": to_date,
    "datetime": to_datetime,
}
LEFT_OUT = ABSENT


@dataclass(slots=True)
class Task:
    """One record on its way out."""

    fields: Fields
    """Canonical fields to be written."""
    full: Mapping[str, Any]
    """All canonical fields known, for expressions and currencies."""
    tables: Tables
    create: bool
    lines: Mapping[str, Sequence[Fields]] = field(default_factory=dict)
    native: Native | None = None
    currencies: Currencies = ISO
    _view: dict[str, Any] | None = None

    @property
    def view(self) -> dict[str, Any]:
        """The canonical record as expressions see it."""
        if self._view is None:
            self._view = canonical_view({**self.full, **self.fields}, self.lines)
        return self._view


def canonical_view(
    fields: Mapping[str, Any], lines: Mapping[str, Sequence[Mapping[str, Any]]] | None = None
) -> dict[str, Any]:
    """Dotted names as nested objects; EMPTY as null; each collection of lines as a list of objects."""
    result: dict[str, Any] = {}
    for name, value in fields.items():
        if "." not in name:
            result[name] = value
            continue
        *outer, last = name.split(".")
        place = result
        for step in outer:
            inner = place.get(step)
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        place[last] = value
    for collection, rows in (lines or {}).items():
        result[collection] = [canonical_view(row) for row in rows]
    return result


class Refused(Unfit):
    """A value cannot be written; becomes a problem with this code."""

    def __init__(self, message: str, code: str, entity: str | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.code, self.entity, self.key = code, entity, key


Put = Callable[[Any, Task], Any]
"""A canonical value -> the native one; :data:`LEFT_OUT` when the field is not written."""
Write = Callable[[Task, Native, list[Problem]], None]


def writer(specs: Sequence[FieldSpec], where: Mapping[str, Any], entity: EntityType) -> Write:
    """One function that writes all fields of a record into ``data``; parts nested under their name."""
    ready = [(spec, _source(spec), putter(spec, specs, entity)) for spec in specs]
    created = [one for one in ready if one[0].on_create]
    updated = [one for one in ready if one[0].on_update]
    fixed = {name: v for name, v in where.items() if "/" not in name and not isinstance(v, list | dict)}

    def write(task: Task, data: Native, problems: list[Problem]) -> None:
        for spec, source, put in created if task.create else updated:
            if spec.map.const is not None:
                continue
            try:
                value = source(task)
                native = LEFT_OUT if value is ABSENT else put(value, task)
            except (Unfit, ExpressionError) as error:
                problems.append(_problem(spec, error))
                continue
            if task.create and (native is None or native is LEFT_OUT):
                native = LEFT_OUT if spec.map.default is None else spec.map.default
                if spec.map.required and native is LEFT_OUT:
                    problems.append(
                        Problem(
                            spec.canonical or spec.label,
                            f"{spec.label} is required to create a {entity.name} but is empty",
                            "required",
                        )
                    )
            if native is not LEFT_OUT:
                _store(data, spec, native)
        if task.create:
            for name, value in fixed.items():
                data.setdefault(name, value)
        if data or task.create:
            for spec, _, _ in created if task.create else updated:
                if spec.map.const is not None:
                    _store(data, spec, spec.map.const)

    return write


def _store(data: Native, spec: FieldSpec, native: Any) -> None:
    if spec.part is None:
        data[spec.native] = native
    else:
        data.setdefault(spec.part, {})[spec.native] = native


def _problem(spec: FieldSpec, error: Exception) -> Problem:
    name = spec.canonical or spec.label
    if isinstance(error, Refused):
        return Problem(name, f"{spec.label}: {error}", error.code, error.entity, error.key)
    return Problem(name, f"{spec.label}: {error}", "expression" if isinstance(error, ExpressionError) else "mapping")


# -- the canonical value ---------------------------------------------------------------------------


def _source(spec: FieldSpec) -> Callable[[Task], Any]:
    if spec.out is not None:
        out, reads = spec.out, spec.out_reads
        whole = frozenset(out.reads) if out.reads is not None else frozenset()

        def evaluated(task: Task) -> Any:
            due = (
                task.create
                or reads is None
                or not reads.isdisjoint(task.fields)
                or bool(whole.intersection(task.lines))
            )
            if not due:
                return ABSENT
            result = out.evaluate(task.view)
            return None if result == "" else result

        return evaluated
    if spec.canonical is None:
        return lambda task: ABSENT
    name = spec.canonical
    return lambda task: task.fields.get(name, ABSENT)


# -- the native value ------------------------------------------------------------------------------


def putter(spec: FieldSpec, specs: Sequence[FieldSpec], entity: EntityType) -> Put:
    """The function that makes a canonical value native, for one field among ``specs``."""
    objects = frozenset(other.object or "" for other in specs if other.canonical == spec.canonical)
    return _put(spec, entity, objects)


def _put(spec: FieldSpec, entity: EntityType, objects: frozenset[str]) -> Put:
    convert = _converted(spec, objects)
    digits, currency = spec.map.digits, spec.field.currency or entity.currency
    limit, cut, cast = spec.map.max, spec.map.cut, spec.map.cast

    def put(value: Any, task: Task) -> Any:
        native = convert(value, task)
        if native is None or native is LEFT_OUT:
            return native
        if digits is not None and isinstance(native, Decimal | int) and not isinstance(native, bool):
            places = _minor(currency, task) if digits == "currency" else int(digits)
            if places is not None:
                native = rounded(Decimal(native), places)
        if cast is not None:
            native = _CASTS[cast](native)
        if native.__class__ is str:
            found = _CONTROL.search(native)
            if found:
                raise Refused(
                    f"the text holds the control character U+{ord(found.group()):04X} at place "
                    f"{found.start() + 1}; remove it in the source",
                    "control_character",
                )
            if limit is not None and len(native) > limit:
                if not cut:
                    raise Refused(
                        f"the text has {len(native)} characters, {limit} fit; shorten it or set `cut: true`",
                        "too_long",
                    )
                native = native[:limit].rstrip()
        return native

    return put


def _minor(currency: str | None, task: Task) -> int | None:
    if currency is None:
        return None
    code = task.fields.get(currency) or task.full.get(currency)
    return task.currencies.places(str(code)) if code else None


def _converted(spec: FieldSpec, objects: frozenset[str]) -> Put:
    if spec.out is not None:
        return lambda value, task: value
    if spec.target is not None:
        return _reference(spec, objects)
    if spec.map.values is not None:
        table = _canonical_table(spec)
        words = ", ".join(word or "''" for word in spec.map.values)

        def mapped(value: Any, task: Task) -> Any:
            found = table.get(value, ABSENT)
            if found is not ABSENT:
                return found
            if value is None:
                return None
            raise Unfit(f"the value {value!r} is not mapped; mapped are: {words}")

        return mapped
    return lambda value, task: value.key if isinstance(value, Ref) else value


def _canonical_table(spec: FieldSpec) -> dict[Any, Any]:
    kind = "text" if spec.target is not None else spec.field.kind
    table: dict[Any, Any] = {}
    for word, native in (spec.map.values or {}).items():
        try:
            table[spelled(word, kind)] = native[0] if isinstance(native, list) else native
        except (Unfit, IndexError):
            continue  # told when the document is compiled
    return table


def _reference(spec: FieldSpec, objects: frozenset[str]) -> Put:
    target, by, owner = spec.target, spec.by, spec.object
    name = target.name if target is not None else ""
    table = _canonical_table(spec)
    policy = spec.map.missing

    def coded(value: Any, task: Task) -> Any:
        found = table.get(value, ABSENT)
        if found is not ABSENT:
            return found
        if value is None:
            return None
        code = str(value)
        if by == "id":
            native: Any = task.tables.id_of(name, code)
        elif policy.policy != "issue" and task.tables.has(name):
            native = code if task.tables.id_of(name, code) is not None else None
        else:
            native = code
        return native if native is not None else missing(code, task)

    def missing(code: str, task: Task) -> Any:
        if policy.policy == "empty":
            return None
        if policy.policy == "default" and policy.default is not None:
            if by != "id":
                return policy.default
            native = task.tables.id_of(name, policy.default)
            return native if native is not None else policy.default
        if policy.policy == "create":
            raise Refused(f"there is no {name} {code!r} yet", "create_reference", name, code)
        what = f"there is no {name} with the code {code!r}"
        if by == "id" and not task.tables.has(name):
            what = f"the {name} {code!r} is unknown: its rows were not read"
        raise Refused(f"{what}; create it, map it with `values`, or set `missing`", "reference", name, code)

    def keyed(value: Any, task: Task) -> Any:
        if value is None:
            return None
        if not isinstance(value, Ref):
            raise Unfit(f"{value!r} is not a reference to a {name}")
        if value.object != owner:
            if value.object in objects:
                return None  # another native field takes it; this one then holds nothing
            raise Refused(f"takes a {owner}, not a {value.object}", "reference", name, value.key)
        if by == "key":
            return value.key
        lookup = getattr(task.tables, "value_by", None)
        native = lookup(name, by, value.key) if lookup is not None else None
        if native is None:
            raise Refused(f"the {by} of the {name} {value.key} is not known", "reference", name, value.key)
        return native

    return coded if by in ("code", "id") else keyed
