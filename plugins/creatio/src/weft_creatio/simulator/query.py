# ruff: noqa: S608 - names come from the model, values are bound
"""Reads: query options -> one SQL statement -> the JSON of a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.filter import count_nodes
from weft.testing.odata.query import Expand, OrderItem, Query, parse_query

from .database import Database, quoted
from .errors import (
    GENERIC,
    NOT_SERIALIZED,
    ODataError,
    bad_query,
    incompatible,
    odata_error,
    stream_selected,
    unknown_in_query,
)
from .model import Entity, Model
from .render import Renderer
from .settings import CreatioSettings
from .where import Names, Where

MAX_NODES = 100
MAX_EXPAND_DEPTH = 2


@dataclass
class _Sql:
    text: str
    args: list[Any]


class Reader:
    """Answers list, single and count reads as JSON text."""

    def __init__(self, model: Model, database: Database, settings: CreatioSettings) -> None:
        self._model = model
        self._db = database
        self._settings = settings
        self._render = Renderer(settings)

    def parse(self, raw: str) -> Query:
        """Query options of a URL; raises the site's 400."""
        try:
            query = parse_query(raw, max_expand_depth=MAX_EXPAND_DEPTH)
        except ODataQueryError as error:
            raise _refusal(error) from error
        for name in ("$apply", "$compute", "$deltatoken"):
            if name in query.other:
                raise bad_query(f"The query parameter '{name}' is not supported.")
        if query.search is not None:
            raise bad_query("The query parameter '$search' is not supported.")
        if query.where is not None and count_nodes(query.where) > MAX_NODES:
            raise bad_query(
                f"The node count limit of '{MAX_NODES}' has been exceeded. To increase the limit, set the "
                "'MaxNodeCount' property on EnableQueryAttribute or ODataValidationSettings."
            )
        return query

    def page(self, entity: Entity, query: Query, root: str) -> bytes:
        """A list with its envelope. There is never a next link."""
        names = self._names()
        shape = self._shape(entity, "t", query, names)
        where = self._where(entity, "t", query, names)
        order = self._order(entity, "t", query, names)
        if names.failure is not None:
            raise names.failure
        limit = self._settings.max_rows
        if query.top is None or query.top > limit:
            if self._settings.unbounded_read == "error" and self._count(entity, where) > limit:
                raise odata_error(500, GENERIC, NOT_SERIALIZED, "System.InvalidOperationException")
        else:
            limit = query.top
        head = f'{{"@odata.context":"{root}/$metadata#{_context(entity, query)}"'
        if query.count:
            head += f',"@odata.count":{self._count(entity, where)}'
        sql = (
            f"SELECT {shape.text} FROM {quoted(entity.name)} t WHERE {where.text}{order.text} "
            f"LIMIT {limit} OFFSET {query.skip or 0}"
        )
        rows = self._db.execute(sql, [*shape.args, *where.args, *order.args]).fetchall() if limit else []
        return (head + ',"value":[' + ",".join([row[0] for row in rows]) + "]}").encode()

    def count(self, entity: Entity, query: Query) -> int:
        names = self._names()
        where = self._where(entity, "t", query, names)
        if names.failure is not None:
            raise names.failure
        return self._count(entity, where)

    def single(self, entity: Entity, key: str, query: Query, root: str) -> bytes | None:
        """One entity, None when there is none or the caller may not see it."""
        names = self._names()
        context = f'"@odata.context":"{root}/$metadata#{_context(entity, query)}/$entity"'
        shape = self._shape(entity, "t", query, names, head=context)
        hidden = self._visible(entity, "t")
        sql = f"SELECT {shape.text} FROM {quoted(entity.name)} t WHERE t.Id=?{hidden}"
        found = self._db.value(sql, [*shape.args, key])
        return str(found).encode() if found is not None else None

    def property(self, entity: Entity, key: str, name: str) -> str | None:
        """JSON of one member, None when the row is missing."""
        column = entity.columns.get(name)
        if column is None:
            raise unknown_in_query(name, entity.name)
        form, args = self._render.member(column, "t")
        sql = f"SELECT printf('{form}',{','.join(args)}) FROM {quoted(entity.name)} t WHERE t.Id=?"
        found = self._db.value(sql + self._visible(entity, "t"), [key])
        return None if found is None else str(found)[len(name) + 3 :]

    # -- parts of the statement

    def _names(self) -> Names:
        return Names(self._model, self._settings, self._db)

    def _visible(self, entity: Entity, alias: str) -> str:
        if not self._db.hidden.get(entity.name):
            return ""
        return f" AND {alias}.Id NOT IN (SELECT id FROM _hidden WHERE entity='{entity.name}')"

    def _where(self, entity: Entity, alias: str, query: Query, names: Names) -> _Sql:
        visible = self._visible(entity, alias)
        if query.where is None:
            return _Sql(f"1{visible}", [])
        text, args = Where(names, entity, alias).condition(query.where)
        return _Sql(text + visible, args)

    def _order(self, entity: Entity, alias: str, query: Query, names: Names) -> _Sql:
        parts: list[str] = []
        args: list[Any] = []
        for item in query.order:
            parts.append(self._order_term(entity, alias, item, names))
        if (query.top is not None or query.skip is not None) and not any(i.segments == ("Id",) for i in query.order):
            parts.append(self._db.order_of_guid(alias))
        return _Sql(f" ORDER BY {', '.join(parts)}" if parts else "", args)

    def _order_term(self, entity: Entity, alias: str, item: OrderItem, names: Names) -> str:
        term = names.column(entity, alias, item.segments)
        sql = self._db.order_of_guid(term.key_of) if term.key_of else term.sql
        if term.edm == "Edm.String" and self._settings.text_case_insensitive:
            sql = f"fold({sql})"
        return f"{sql} DESC" if item.descending else sql

    def _count(self, entity: Entity, where: _Sql) -> int:
        return int(self._db.value(f"SELECT count(*) FROM {quoted(entity.name)} t WHERE {where.text}", where.args))

    def _shape(self, entity: Entity, alias: str, query: Query, names: Names, *, head: str = "") -> _Sql:
        selected = self._selected(entity, query.select)
        args: list[Any] = []
        members: list[str] = []
        for expand in query.expand:
            sql = self._expanded(entity, alias, expand, names)
            members.append(sql.text)
            args += sql.args
        return _Sql(self._render.object(entity, alias, selected, members, head=head), args)

    def _selected(self, entity: Entity, select: Sequence[str] | None) -> Sequence[str] | None:
        if select is None or "*" in select:
            return None
        for name in select:
            column = entity.columns.get(name)
            if column is None and name not in entity.navs and name not in self._model.back[entity.name]:
                raise unknown_in_query(name, entity.name)
        if any(c.name in select for c in entity.streams):
            raise stream_selected()
        return select

    def _expanded(self, entity: Entity, alias: str, expand: Expand, names: Names) -> _Sql:
        inner = names.alias()
        nav = entity.navs.get(expand.name)
        if nav is not None:
            target = self._model.target(nav)
            if target is None:
                raise unknown_in_query(expand.name, entity.name)
            shape = self._shape(target, inner, expand.query, names)
            text = (
                f"'\"{expand.name}\":'||coalesce((SELECT {shape.text} FROM {quoted(target.name)} {inner} "
                f"WHERE {inner}.Id={alias}.{quoted(nav.name)}{self._visible(target, inner)}),'null')"
            )
            return _Sql(text, shape.args)
        back = self._model.back[entity.name].get(expand.name)
        if back is None:
            raise unknown_in_query(expand.name, entity.name)
        child = self._model.entities[back[0]]
        query = expand.query
        shape = self._shape(child, inner, query, names)
        where = self._where(child, inner, query, names)
        order = self._order(child, inner, query, names)
        limit = -1 if query.top is None else query.top
        text = (
            f"'\"{expand.name}\":['||coalesce((SELECT group_concat(j,',') FROM (SELECT {shape.text} AS j FROM "
            f"{quoted(child.name)} {inner} WHERE {inner}.{quoted(back[1])}={alias}.Id AND {where.text}{order.text} "
            f"LIMIT {limit} OFFSET {query.skip or 0})),'')||']'"
        )
        return _Sql(text, [*shape.args, *where.args, *order.args])


def _context(entity: Entity, query: Query) -> str:
    if query.select is None or "*" in query.select:
        return entity.name
    return f"{entity.name}({','.join(query.select)})"


def _refusal(error: ODataQueryError) -> ODataError:
    """The base parser's complaint in the OData library's words."""
    facts = error.facts
    match error.kind:
        case "property":
            return unknown_in_query(str(facts["name"]), str(facts["type"]))
        case "types":
            return incompatible(str(facts["left"]), str(facts["right"]), str(facts["operator"]))
        case "depth":
            return bad_query(
                f"The request includes a $expand path which is too deep. The maximum depth allowed is "
                f"{facts['limit']}. To increase the limit, set the 'MaxExpansionDepth' property on "
                "EnableQueryAttribute or ODataValidationSettings, or set the 'MaxDepth' property in "
                "ExpandAttribute."
            )
        case "function":
            return bad_query(
                f"An unknown function with name '{facts['name']}' was found. This may also be a function import or "
                "a key lookup on a navigation property, which is not allowed."
            )
        case "syntax" if "position" in facts:
            return bad_query(f"Syntax error at position {facts['position']} in '{facts.get('text', '')}'.")
    return bad_query(error.message)


def quote(text: str) -> str:
    """JSON text of a string."""
    return json.dumps(text, ensure_ascii=False)
