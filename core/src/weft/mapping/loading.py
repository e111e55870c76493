"""Mapping documents: read from a connector's package, and overlaid by the user.

A package keeps its documents in ``<package>/maps/*.yaml``, one or several to a file. ``{name}`` in a
key or value stands for a placeholder (a custom prefix, say); braces in expressions are left alone
unless they enclose nothing but the name of a placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any, Protocol

from pydantic import ValidationError

from weft import yamlpos
from weft.errors import ConfigError
from weft.mapping import document
from weft.mapping.impossible import Impossible
from weft.yamlpos import Loaded, Steps

_EXPRESSIONS = frozenset(["in", "out", "when", "locked", "accepts", "follow"])
_OPEN = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class MappingError(ConfigError):
    """A mapping document is wrong; one finding a line, each with ``file:line:column``."""


class Overlaid(Protocol):
    """What :func:`overlay` needs of the configuration."""

    @property
    def mappings(self) -> Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]:
        """connection -> entity -> variant -> mapping, as written."""

    def where(self, *path: str | int) -> str:
        """``file:line:column`` of a piece of the configuration."""


def packaged(
    package: str, entity: str | None = None, placeholders: Mapping[str, str] | None = None
) -> list[document.Mapping]:
    """The documents in ``<package>/maps``, of one entity or (None) of all, in the order of file names.

    Raises :class:`MappingError` for a document that is not valid.
    """
    given = None if placeholders is None else tuple(placeholders.items())
    found = [
        _parsed(text, source, number, given)
        for text, source, number, loaded in _documents(package, entity)
        if not _is_statement(loaded)
    ]
    _no_twins(found)
    return found


def impossible(package: str, entity: str | None = None) -> list[Impossible]:
    """What the documents in ``<package>/maps`` say cannot be done, of one entity or (None) of all."""
    found: list[Impossible] = []
    for _, _, _, loaded in _documents(package, entity):
        if _is_statement(loaded):
            try:
                found.append(Impossible.model_validate(loaded.data))
            except ValidationError as error:
                raise MappingError("\n".join(yamlpos.explain(error, loaded, Impossible))) from None
    return found


def _is_statement(loaded: Loaded) -> bool:
    return isinstance(loaded.data, dict) and "impossible" in loaded.data


def _documents(package: str, entity: str | None) -> Iterator[tuple[str, str, int, Loaded]]:
    """Text and name of the file, which of its documents, and the document."""
    folder = resources.files(package) / "maps"
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith((".yaml", ".yml"))),
        key=lambda entry: entry.name,
    )
    for file in files:
        source = f"{package}/maps/{file.name}"
        text = file.read_text(encoding="utf-8")
        if entity is not None and entity not in text:
            continue  # the name must be written in the file, so reading it cannot add anything
        for number, loaded in enumerate(_loaded(text, source)):
            if entity is not None and isinstance(loaded.data, dict) and loaded.data.get("entity") != entity:
                continue
            yield text, source, number, loaded


@lru_cache(maxsize=500)
def _loaded(text: str, source: str) -> tuple[Loaded, ...]:
    """Documents are asked for in every run; their YAML is taken apart once."""
    return tuple(yamlpos.load_all(text, source))


@lru_cache(maxsize=500)
def _parsed(text: str, source: str, number: int, placeholders: tuple[tuple[str, str], ...] | None) -> document.Mapping:
    """A document cannot be changed, so those who ask for it again share it."""
    return parse(_loaded(text, source)[number], None if placeholders is None else dict(placeholders))


def parse(loaded: Loaded, placeholders: Mapping[str, str] | None = None) -> document.Mapping:
    """One document as a model; its positions go along for later errors."""
    if not isinstance(loaded.data, dict):
        raise MappingError(f"{loaded.at()}: a mapping is expected: `entity:`, `object:`, `fields:` …")
    if placeholders is not None:
        loaded = _substituted(loaded, placeholders)
    positions = {path: loaded.at(path, value=True) for path in loaded.values}
    data = {
        **loaded.data,
        "source": loaded.source,
        "placeholders": dict(placeholders or {}),
        "positions": positions,
    }
    for name in ("source", "placeholders", "positions"):
        if name in loaded.data:
            raise MappingError(f"{loaded.at((name,))}: unknown key {name!r}")
    try:
        return document.Mapping.model_validate(data)
    except ValidationError as error:
        raise MappingError("\n".join(yamlpos.explain(error, loaded, document.Mapping))) from None


def overlay(
    mappings: Sequence[document.Mapping], config: Overlaid, connection: str, entity: str
) -> list[document.Mapping]:
    """Packaged documents with the user's ``mappings:`` of one connection and entity merged over them.

    A variant that is not packaged is a document of the user's own and must be complete.
    """
    users = config.mappings.get(connection, {}).get(entity, {})
    known = {mapping.variant: mapping for mapping in mappings}
    result: list[document.Mapping] = []
    for mapping in mappings:
        user = users.get(mapping.variant)
        if user is None:
            result.append(mapping)
        else:
            path = ("mappings", connection, entity, mapping.variant)
            result.append(merge(mapping, user, lambda *steps, path=path: config.where(*path, *steps)))
    for variant, user in users.items():
        if variant in known:
            continue
        path = ("mappings", connection, entity, variant)
        if "object" not in user or "key" not in user or "fields" not in user:
            hint = yamlpos.suggest(variant, list(known))
            there = f"; packaged variants: {', '.join(known)}" if known else ""
            raise MappingError(
                f"{config.where(*path)}: {'.'.join(path)}: there is no packaged variant {variant!r}{hint}; "
                f"a mapping of your own needs `object`, `key` and `fields`{there}"
            )
        data = {"entity": entity, "variant": variant, **user}
        result.append(_validated(data, {}, lambda *steps, path=path: config.where(*path, *steps), data))
    return result


def merge(mapping: document.Mapping, user: Mapping[str, Any], where: Callable[..., str]) -> document.Mapping:
    """``user`` merged over ``mapping``: dicts are merged, everything else is replaced, null removes.

    A native field given as plain text replaces the packaged field altogether; one given as a dict
    is merged with it. In ``values`` null is a value. ``where(*path)`` tells where the user wrote.
    """
    base = mapping.model_dump(by_alias=True, exclude_unset=True)
    for name in ("entity", "variant"):
        if name in user and user[name] != base.get(name, "default"):
            raise MappingError(f"{where(name)}: {name}: cannot be changed by an overlay")
    merged = _merged(base, user, ())
    return _validated(merged, dict(mapping.positions), where, user, mapping)


_SOURCES = ("from", "ref", "const", "in", "out")


def _merged(base: Any, user: Any, path: Steps) -> Any:
    if not isinstance(base, dict) or not isinstance(user, Mapping):
        return user
    result = dict(base)
    if path[-2:-1] == ("fields",):
        # Another source of the value takes the place of the packaged one.
        if "const" in user:
            result = {name: value for name, value in result.items() if name not in _SOURCES}
        elif "from" in user or "ref" in user:
            result.pop("const", None)
    for name, value in user.items():
        inside = (*path, name)
        if value is None and path[-1:] != ("values",) and name != "const":
            result.pop(name, None)
        elif name in result and path[-1:] != ("values",):
            result[name] = _merged(result[name], value, inside)
        else:
            result[name] = value
    return result


def _validated(
    data: dict[str, Any],
    positions: dict[Steps, str],
    where: Callable[..., str],
    user: Mapping[str, Any],
    base: document.Mapping | None = None,
) -> document.Mapping:
    written = {(): where(), **{path: where(*path) for path in _paths(user, ())}}
    positions = {**positions, **{path: at for path, at in written.items() if path or base is None}}
    extra = {
        "source": base.source if base is not None else written[()],
        "placeholders": base.placeholders if base is not None else {},
        "positions": positions,
    }
    for name in extra:
        if name in user:
            raise MappingError(f"{written[(name,)]}: unknown key {name!r}")
    try:
        return document.Mapping.model_validate({**data, **extra})
    except ValidationError as error:
        keys = dict.fromkeys(positions, (0, 0))
        messages = yamlpos.explain(error, _Positioned(None, "", keys, keys, positions), document.Mapping)
        raise MappingError("\n".join(messages)) from None


@dataclass(frozen=True, slots=True)
class _Positioned(Loaded):
    """Positions that are known as text already, from several files."""

    texts: dict[Steps, str] = field(default_factory=dict)

    def at(self, path: Sequence[str | int] = (), *, value: bool = False) -> str:
        steps = tuple(path)
        while steps and steps not in self.texts:
            steps = steps[:-1]
        return self.texts.get(steps, "mapping")


def _paths(value: Any, path: Steps) -> list[Steps]:
    found: list[Steps] = []
    entries: Any = value.items() if isinstance(value, Mapping) else enumerate(value)
    for step, inner in entries:
        found.append((*path, step))
        if isinstance(inner, Mapping | list):
            found += _paths(inner, (*path, step))
    return found


def _no_twins(mappings: Sequence[document.Mapping]) -> None:
    seen: dict[tuple[str, str], document.Mapping] = {}
    for mapping in mappings:
        twin = seen.setdefault((mapping.entity, mapping.variant), mapping)
        if twin is not mapping:
            raise MappingError(
                f"{mapping.at()}: entity {mapping.entity!r} has two documents for the variant "
                f"{mapping.variant!r}; the other is in {twin.at()}"
            )


# -- placeholders ----------------------------------------------------------------------------------


def _substituted(loaded: Loaded, placeholders: Mapping[str, str]) -> Loaded:
    keys: dict[Steps, tuple[int, int]] = {(): loaded.position()}
    values: dict[Steps, tuple[int, int]] = {(): loaded.position(value=True)}

    def text(value: str, path: Steps, expression: bool) -> str:
        def fill(match: re.Match[str]) -> str:
            name = match.group(1)
            if name in placeholders:
                return placeholders[name]
            if expression:
                return match.group()
            known = ", ".join(placeholders) or "none"
            raise MappingError(
                f"{loaded.at(path)}: the placeholder {{{name}}} has no value"
                f"{yamlpos.suggest(name, list(placeholders))}; there are: {known}"
            )

        return _OPEN.sub(fill, value)

    def walk(value: Any, old: Steps, new: Steps) -> Any:
        if isinstance(value, dict):
            result: dict[str, Any] = {}
            for name, inner in value.items():
                filled = text(name, (*old, name), False)
                if filled in result:
                    raise MappingError(f"{loaded.at((*old, name))}: the key {filled!r} appears twice")
                keys[(*new, filled)] = loaded.position((*old, name))
                values[(*new, filled)] = loaded.position((*old, name), value=True)
                result[filled] = walk(inner, (*old, name), (*new, filled))
            return result
        if isinstance(value, list):
            for index in range(len(value)):
                keys[(*new, index)] = values[(*new, index)] = loaded.position((*old, index))
            return [walk(inner, (*old, index), (*new, index)) for index, inner in enumerate(value)]
        if isinstance(value, str):
            return text(value, old, bool(old) and old[-1] in _EXPRESSIONS)
        return value

    return Loaded(walk(loaded.data, (), ()), loaded.source, keys, values)
