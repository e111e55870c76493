"""Query options put together from typed terms; text of a user's never reaches the URL unescaped.

>>> query = Query(select=("Id", "Name"), filter=and_(ge("ModifiedOn", since), eq("Type/Id", type_id)),
...               orderby=("ModifiedOn", "Id"), top=1000)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from weft.net.odata.literals import Value, in_query, literal, property_path

Format = Callable[[Value], str]
"""How a value becomes a literal: the dialect's affair."""


@dataclass(frozen=True, slots=True)
class Term:
    """A boolean filter expression. `render` takes the dialect's literal function, `terms` its comparisons."""

    render: Callable[[Format], str] = field(repr=False)
    terms: int = 1
    joined: str = ""

    def __str__(self) -> str:
        return self.render(literal)


def _compare(field_name: str, operator: str, value: Value) -> Term:
    path = property_path(field_name)
    return Term(lambda fmt: f"{path} {operator} {fmt(value)}")


def eq(field: str, value: Value) -> Term:
    return _compare(field, "eq", value)


def ne(field: str, value: Value) -> Term:
    return _compare(field, "ne", value)


def gt(field: str, value: Value) -> Term:
    return _compare(field, "gt", value)


def ge(field: str, value: Value) -> Term:
    return _compare(field, "ge", value)


def lt(field: str, value: Value) -> Term:
    return _compare(field, "lt", value)


def le(field: str, value: Value) -> Term:
    return _compare(field, "le", value)


def _call(function: str, field_name: str, text: str) -> Term:
    path = property_path(field_name)
    return Term(lambda fmt: f"{function}({path},{fmt(text)})")


def contains(field: str, text: str) -> Term:
    return _call("contains", field, text)


def startswith(field: str, text: str) -> Term:
    return _call("startswith", field, text)


def endswith(field: str, text: str) -> Term:
    return _call("endswith", field, text)


def _join(word: str, given: Iterable[Term | None]) -> Term:
    terms = [term for term in given if term is not None]
    if not terms:
        raise ValueError(f"{word} of no terms: an empty filter would match everything")
    if len(terms) == 1:
        return terms[0]

    def render(fmt: Format) -> str:
        parts = (f"({t.render(fmt)})" if t.joined not in ("", word) else t.render(fmt) for t in terms)
        return f" {word} ".join(parts)

    return Term(render, sum(term.terms for term in terms), word)


def and_(*terms: Term | None) -> Term:
    """All of them; None is left out, so optional conditions need no `if`."""
    return _join("and", terms)


def or_(*terms: Term | None) -> Term:
    """Any of them; None is left out."""
    return _join("or", terms)


def not_(term: Term) -> Term:
    return Term(lambda fmt: f"not ({term.render(fmt)})", term.terms)


def any_of(field: str, values: Iterable[Value]) -> Term:
    """`field eq a or field eq b …`; mind the system's limit of terms."""
    given = list(values)
    if not given:
        raise ValueError("or of no terms: an empty filter would match everything")
    start = f"{property_path(field)} eq "
    return Term(
        lambda fmt: " or ".join([start + fmt(value) for value in given]), len(given), "or" if len(given) > 1 else ""
    )


def after(position: Sequence[tuple[str, Value]]) -> Term:
    """Rows past a position in the order of its fields: `a gt x or (a eq x and b gt y)`, for keyset paging."""
    if not position:
        raise ValueError("a position without fields")
    return or_(
        *(and_(*(eq(f, v) for f, v in position[:index]), gt(*position[index])) for index in range(len(position)))
    )


@dataclass(frozen=True, slots=True)
class Expand:
    """A navigation property to expand, with nested options."""

    name: str
    select: Sequence[str] = ()
    filter: Term | None = None
    orderby: Sequence[str] = ()
    top: int | None = None
    expand: Sequence[Expand | str] = ()

    def render(self, fmt: Format) -> str:
        options = _options(self, fmt)
        inside = ";".join(f"{key}={value}" for key, value in options)
        return property_path(self.name) + (f"({inside})" if inside else "")


@dataclass(frozen=True, slots=True)
class Query:
    """Query options. `orderby` items are `Field` or `Field desc`; `extra` are further options
    (`cross-company`, `company`, `$schemaversion`), percent-encoded like the rest."""

    select: Sequence[str] = ()
    filter: Term | None = None
    orderby: Sequence[str] = ()
    top: int | None = None
    skip: int | None = None
    expand: Sequence[Expand | str] = ()
    count: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)

    def options(self, fmt: Format = literal) -> list[tuple[str, str]]:
        """Name and plain value of each option, in a fixed order."""
        options = _options(self, fmt)
        if self.skip:
            options.append(("$skip", str(_whole("skip", self.skip))))
        if self.count:
            options.append(("$count", "true"))
        return options + list(self.extra.items())

    def text(self, fmt: Format = literal) -> str:
        """The query string, percent-encoded, without the question mark; "" if there are no options."""
        return "&".join(f"{in_query(k)}={in_query(v)}" for k, v in self.options(fmt))

    def where(self, *terms: Term | None) -> Self:
        """The same query, further narrowed."""
        return replace(self, filter=and_(self.filter, *terms)) if any(terms) else self

    def but(self, *, top: int | None = None, skip: int | None = None, orderby: Sequence[str] | None = None) -> Self:
        """The same query with another window or order."""
        return replace(self, top=top, skip=skip, orderby=self.orderby if orderby is None else orderby)


def _options(source: Query | Expand, fmt: Format) -> list[tuple[str, str]]:
    options: list[tuple[str, str]] = []
    if source.select:
        options.append(("$select", ",".join(property_path(item) for item in source.select)))
    if source.filter is not None:
        options.append(("$filter", source.filter.render(fmt)))
    if source.orderby:
        options.append(("$orderby", ",".join(_order(item) for item in source.orderby)))
    if source.top is not None:
        options.append(("$top", str(_whole("top", source.top))))
    if source.expand:
        parts = (Expand(item) if isinstance(item, str) else item for item in source.expand)
        options.append(("$expand", ",".join(part.render(fmt) for part in parts)))
    return options


def _order(item: str) -> str:
    path, _, direction = item.partition(" ")
    if direction not in ("", "asc", "desc"):
        raise ValueError(f"{item!r}: write `Field`, `Field asc` or `Field desc`")
    return property_path(path) + (f" {direction}" if direction else "")


def _whole(what: str, value: int) -> int:
    if isinstance(value, bool) or value < 0:
        raise ValueError(f"{what} must be a number from 0 up, not {value!r}")
    return value
