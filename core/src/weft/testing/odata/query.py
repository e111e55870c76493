"""Query options of a URL -> :class:`Query`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_plus

from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.filter import Node
from weft.testing.odata.parse import parse_filter, split_top


@dataclass(frozen=True, slots=True)
class OrderItem:
    segments: tuple[str, ...]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Expand:
    """One expanded navigation with its own options (``Account($select=Name;$expand=City)``)."""

    name: str
    query: Query


@dataclass(frozen=True, slots=True)
class Query:
    """``where`` is parsed, ``filter_text`` the decoded text. ``count`` None: not asked. ``select`` None: not given or
    ``*``. ``custom`` holds the options without ``$`` (company, tenant, aid …) and ``other`` the unknown ``$``
    options, both left to the simulator. Shared between requests: not to be changed."""

    filter_text: str | None = None
    where: Node | None = None
    select: tuple[str, ...] | None = None
    order: tuple[OrderItem, ...] = ()
    top: int | None = None
    skip: int | None = None
    count: bool | None = None
    expand: tuple[Expand, ...] = ()
    skiptoken: str | None = None
    search: str | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1024)
def parse_query(raw: str, *, max_expand_depth: int | None = None) -> Query:
    """Parse the raw (percent-encoded) query string, without the ``?``. Cached. Raises ODataQueryError.

    ``$expand`` deeper than ``max_expand_depth`` (1: no ``$expand`` inside ``$expand``) raises kind "depth".
    An option given twice is refused, as OData requires.
    """
    pairs: list[tuple[str, str]] = []
    for part in raw.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)))
    return _build(pairs, max_expand_depth, max_expand_depth)


def _build(pairs: list[tuple[str, str]], depth: int | None, limit: int | None) -> Query:
    seen: dict[str, str] = {}
    custom: dict[str, str] = {}
    for name, value in pairs:
        if not name.startswith("$"):
            custom[name] = value
        elif name in seen:
            text = f"Query option '{name}' was specified more than once."
            raise ODataQueryError("option", text, name=name, value=value)
        else:
            seen[name] = value
    where = seen.pop("$filter", None)
    if where is not None and not where.strip():
        raise ODataQueryError("option", "The value of $filter is empty.", name="$filter", value=where)
    return Query(
        filter_text=where,
        where=None if where is None else parse_filter(where),
        select=_select(seen.pop("$select", None)),
        order=_order(seen.pop("$orderby", None)),
        top=_whole("$top", seen.pop("$top", None)),
        skip=_whole("$skip", seen.pop("$skip", None)),
        count=_boolean("$count", seen.pop("$count", None)),
        expand=_expand(seen.pop("$expand", None), depth, limit),
        skiptoken=seen.pop("$skiptoken", None),
        search=seen.pop("$search", None),
        custom=custom,
        other=seen,
    )


def _select(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ODataQueryError("option", f"$select has an empty name: '{text}'.", name="$select", value=text)
    return None if "*" in names else tuple(dict.fromkeys(names))


def _order(text: str | None) -> tuple[OrderItem, ...]:
    if text is None:
        return ()
    items: list[OrderItem] = []
    for part in text.split(","):
        words = part.split()
        if not 1 <= len(words) <= 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
            raise ODataQueryError("option", f"$orderby is not understood: '{text}'.", name="$orderby", value=text)
        items.append(OrderItem(tuple(words[0].split("/")), len(words) == 2 and words[1] == "desc"))
    return tuple(items)


def _whole(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ODataQueryError(
            "option", f"Invalid value '{text}' for {name}: a whole number from 0 is expected.", name=name, value=text
        )
    return int(text)


def _boolean(name: str, text: str | None) -> bool | None:
    if text is None:
        return None
    if text not in ("true", "false"):
        raise ODataQueryError("option", f"Invalid value '{text}' for {name}: true or false.", name=name, value=text)
    return text == "true"


def _expand(text: str | None, depth: int | None, limit: int | None) -> tuple[Expand, ...]:
    if text is None:
        return ()
    if depth is not None and depth < 1:
        raise ODataQueryError("depth", f"$expand is nested deeper than {limit}.", limit=limit)
    items: list[Expand] = []
    for part in split_top(text, ","):
        name, bracket, rest = part.strip().partition("(")
        if not name or (bracket and not rest.endswith(")")):
            raise ODataQueryError("option", f"$expand is not understood: '{text}'.", name="$expand", value=text)
        pairs: list[tuple[str, str]] = []
        for option in split_top(rest[:-1], ";") if bracket else ():
            key, equals, value = option.strip().partition("=")
            if not equals or not key.startswith("$"):
                raise ODataQueryError("option", f"$expand is not understood: '{text}'.", name="$expand", value=text)
            pairs.append((key, value))
        items.append(Expand(name.strip(), _build(pairs, None if depth is None else depth - 1, limit)))
    return tuple(items)
