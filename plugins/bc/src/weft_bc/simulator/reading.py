"""GET: filters, order, pages, $select, $expand, and the bytes of rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from weft.testing.odata.compile import Scope, compile_filter
from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.filter import Compare, Literal, Logic, Node, Path
from weft.testing.odata.plan import find_rows
from weft.testing.odata.query import Query
from weft.testing.odata.render import dumps
from weft.testing.odata.store import Row, Store, Table
from weft.testing.odata.values import sort_key
from weft_bc.simulator.errors import BcError, bad_request
from weft_bc.simulator.filters import check_filter, equalities
from weft_bc.simulator.schema import BLANKS, EDM, EntitySet, Navigation, Schema, caption
from weft_bc.simulator.settings import Settings
from weft_bc.simulator.values import etag

BLANK_BY_EDM = {EDM[kind]: blank for kind, blank in BLANKS.items() if kind in "SDTG"}
_DOCUMENT_LINES = "You must specify an Id or a Document Id to get the lines."
PARENT_TEXTS = {
    "journalLines": ("journalId", "You must specify a journal batch ID or a journal ID to get a journal line."),
    "customerPayments": ("journalId", "You must specify a journal batch ID or a journal ID to get a journal line."),
    "vendorPayments": ("journalId", "You must specify a journal batch ID or a journal ID to get a journal line."),
    "dimensionSetLines": ("", "You must get to the parent first to get to the dimension set line."),
    "defaultDimensions": ("parentId", "You must get to the parent first to get to the default dimensions."),
    "contactsInformation": ("relatedId", "You must get to the parent first to get to the contacts information."),
    "timeRegistrationEntries": (
        "employeeId",
        "You must specify an Id or an Employee Id to get the time registration entries.",
    ),
    "pdfDocument": ("", "You must get to the parent first to get to the PDF document."),
}


class Database(Protocol):
    """What reading needs: a company, or the tables above companies."""

    store: Store
    tables: dict[str, Table]
    schema: Schema
    settings: Settings


@dataclass
class Tokens:
    """Rows that a $skiptoken names, kept in case the row is gone when the next page is asked for."""

    limit: int = 10_000
    kept: OrderedDict[str, Row] = field(default_factory=OrderedDict)

    def remember(self, token: str, row: Row) -> None:
        self.kept[token] = row
        self.kept.move_to_end(token)
        if len(self.kept) > self.limit:
            self.kept.popitem(last=False)


@dataclass
class Reader:
    """Answers queries over one database. ``link`` makes the absolute URL of a record for media links;
    ``prepare`` brings derived sets up to date."""

    settings: Settings
    tokens: Tokens
    prepare: Callable[[Any, str], None]

    def scope(self, db: Database, name: str) -> Scope:
        return Scope(
            db.store,
            db.tables[name],
            ignore_case_names=True,
            blanks=BLANK_BY_EDM,
            enum_key=caption,
        )

    # A set

    def rows(
        self,
        db: Database,
        entity_set: EntitySet,
        query: Query,
        *,
        page: int,
        fixed: Mapping[str, Any] | None = None,
        nested: bool = False,
    ) -> tuple[list[Row], bool, int | None]:
        """One page: rows, whether more follow, the count if asked for. ``fixed``: columns set by the parent."""
        self.check(db, entity_set, query)
        if entity_set.needs_parent and not fixed:
            require_parent(entity_set, query)
        self.prepare(db, entity_set.name)
        where = query.where
        if entity_set.name == "journals" and not nested and not mentions(query, "templatedisplayname"):
            general: Node = Compare("eq", Path(("templateDisplayName",), 0), Literal("Edm.String", "GENERAL", 0), 0)
            if "templateDisplayName" in entity_set.properties:
                where = general if where is None else Logic("and", where, general, 0)
        for column, value in (fixed or {}).items():
            where = _and(where, column, value, entity_set)
        table = db.tables[entity_set.name]
        after = None
        if query.skiptoken:
            token = query.skiptoken.lower()
            after = table.get(token) or self.tokens.kept.get(token)
            if after is None:
                raise bad_request("The skip token is not valid.")
        try:
            found = find_rows(
                self.scope(db, entity_set.name),
                where=where,
                order=query.order,
                skip=0 if after is not None else query.skip or 0,
                top=page,
                count=bool(query.count),
                after=after,
            )
        except ODataQueryError as error:
            raise refused(error) from None
        if found.more and found.rows:
            last = found.rows[-1]
            self.tokens.remember(last[entity_set.key], last)
        return found.rows, found.more, found.count

    def check(self, db: Database, entity_set: EntitySet, query: Query) -> None:
        if query.search is not None:
            raise BcError(501, "BadRequest_MethodNotImplemented", "The query option '$search' is not implemented.")
        version = query.other.get("$schemaversion", "")
        for option in query.other:
            if option.lower() == "$schemaversion":
                version = query.other[option]
            elif option in ("$apply", "$compute", "$deltatoken"):
                raise BcError(
                    501, "BadRequest_MethodNotImplemented", f"The query option '{option}' is not implemented."
                )
            elif option not in ("$format",):
                raise bad_request(f"The query parameter '{option}' is not supported.")
        if query.where is not None:
            check_filter(query.where, entity_set, self.settings, new_functions=version in ("2.1", "latest"))

    # Rows to bytes

    def render_rows(
        self, db: Database, entity_set: EntitySet, rows: Iterable[Row], query: Query, url: str, bare: bool = False
    ) -> list[bytes]:
        """Each row as JSON. ``url``: of the set, for media links. ``bare``: odata.metadata=none."""
        names = self.selected(entity_set, query)
        table = db.tables.get(entity_set.name)
        render = row_renderer(entity_set, names, url, bare)
        if table is None:
            done = [render(row) for row in rows]
        else:
            rows = list(rows)
            done = table.rendered(rows, (names, url if entity_set.name == "companyInformation" else "", bare), render)
        if not query.expand:
            return done
        return [
            _append(data, self.expanded(db, entity_set, row, query, url, bare))
            for data, row in zip(done, rows, strict=True)
        ]

    def selected(self, entity_set: EntitySet, query: Query) -> tuple[str, ...] | None:
        if query.select is None:
            return None
        names = []
        for name in query.select:
            if name.split("/")[0] in entity_set.nav:
                continue
            prop = entity_set.property(name)
            if prop is None:
                raise bad_request(
                    f"Could not find a property named '{name}' on type 'Microsoft.NAV.{entity_set.type}'."
                )
            names.append(prop.name)
        return tuple(names)

    def expanded(
        self, db: Database, entity_set: EntitySet, row: Row, query: Query, url: str, bare: bool
    ) -> list[tuple[str, bytes]]:
        parts: list[tuple[str, bytes]] = []
        for item in query.expand:
            nav = navigation(entity_set, item.name)
            target = db.schema[nav.target]
            inner_url = f"{url}({row[entity_set.key]})/{nav.name}"
            found = self.related(db, row, nav, item.query)
            data = self.render_rows(db, target, found, item.query, inner_url, bare)
            if nav.many:
                if item.query.count:
                    total = len(self.related(db, row, nav, Query(where=item.query.where)))
                    parts.append((f"{nav.name}@odata.count", str(total).encode()))
                parts.append((nav.name, b"[" + b",".join(data) + b"]"))
            else:
                parts.append((nav.name, data[0] if data else b"null"))
        return parts

    def related(self, db: Database, row: Row, nav: Navigation, query: Query) -> list[Row]:
        """Rows behind a navigation, under its own options."""
        target = db.schema[nav.target]
        self.check(db, target, query)
        if nav.target == "pdfDocument":
            return [pdf_row(row, nav)]
        if any(row.get(column) != value for column, value in nav.when):
            return []
        self.prepare(db, nav.target)
        table = db.tables[nav.target]
        remote, local = nav.on[0]
        found = [table.get(row[local])] if remote == table.entity.key else table.find(remote, row[local])
        rows = [
            other
            for other in found
            if other is not None
            and all(other.get(r) == row.get(_hidden(s, row)) for r, s in nav.on[1:])
            and all(other.get(column) == value for column, value in nav.const)
        ]
        scope = self.scope(db, nav.target)
        try:
            if query.where is not None:
                keep = compile_filter(query.where, scope)
                rows = [other for other in rows if keep(other)]
        except ODataQueryError as error:
            raise refused(error) from None
        self._sort(rows, target, table, query)
        start = query.skip or 0
        return rows[start : None if query.top is None else start + query.top]

    def _sort(self, rows: list[Row], target: EntitySet, table: Table, query: Query) -> None:
        first = table.order[0]
        rows.sort(key=lambda row: sort_key(table.entity.properties[first].type)(row.get(first)))
        for item in reversed(query.order):
            prop = target.property("/".join(item.segments))
            if prop is None:
                raise bad_request(
                    f"Could not find a property named '{item.segments[0]}' on type 'Microsoft.NAV.{target.type}'."
                )
            rows.sort(key=lambda row, p=prop: sort_key(p.edm)(row.get(p.name)), reverse=item.descending)  # type: ignore[misc]


def _hidden(column: str, row: Row) -> str:
    return column if column in row else f"${column}"


def _append(data: bytes, parts: list[tuple[str, bytes]]) -> bytes:
    tail = b"".join(b',"' + name.encode() + b'":' + value for name, value in parts)
    return data[:-1] + (tail[1:] if data == b"{}" else tail) + b"}"


def _and(where: Node | None, column: str, value: Any, entity_set: EntitySet) -> Node:
    prop = entity_set.properties.get(column)
    kind = prop.edm if prop is not None and prop.kind != "E" else "Edm.String"
    node: Node = Compare("eq", Path((column,), 0), Literal(kind, value, 0), 0)
    return node if where is None else Logic("and", node, where, 0)


def navigation(entity_set: EntitySet, name: str) -> Navigation:
    nav = entity_set.nav.get(name) or next((n for n in entity_set.nav.values() if n.name.lower() == name.lower()), None)
    if nav is None:
        raise bad_request(f"Could not find a property named '{name}' on type 'Microsoft.NAV.{entity_set.type}'.")
    return nav


def require_parent(entity_set: EntitySet, query: Query) -> None:
    """Line sets are only readable through a parent, or filtered by id or by the parent's id."""
    column, text = PARENT_TEXTS.get(entity_set.name, ("documentId", _DOCUMENT_LINES))
    known = equalities(query.where)
    if column and (column.lower() in known or "id" in known):
        return
    raise BcError(400, "Application_DialogException", text)


def mentions(query: Query, name: str) -> bool:
    return name in (query.filter_text or "").lower()


def refused(error: ODataQueryError) -> BcError:
    """A query error in the service's words: entity types carry the namespace."""
    message = error.message
    if error.kind == "property":
        message = (
            f"Could not find a property named '{error.facts['name']}' on type 'Microsoft.NAV.{error.facts['type']}'."
        )
    return bad_request(message)


def row_renderer(entity_set: EntitySet, names: tuple[str, ...] | None, url: str, bare: bool) -> Callable[[Row], bytes]:
    """A row as JSON: the tag first, then the properties in their published order."""
    wanted = list(entity_set.properties if names is None else names)
    streams = [name for name in wanted if entity_set.properties[name].kind == "M"]
    plain = [name for name in wanted if entity_set.properties[name].kind != "M"]
    tagged = not bare and entity_set.name != "companies"
    key = entity_set.key

    def render(row: Row) -> bytes:
        shown: dict[str, Any] = {"@odata.etag": etag(row["$v"])} if tagged else {}
        for name in plain:
            shown[name] = row[name]
        for name in streams:
            base = f"{url}({row[key]})" if entity_set.name != "pdfDocument" else url
            shown[f"{name}@odata.mediaReadLink"] = f"{base}/{name}"
        return dumps(shown)

    return render


def pdf_row(document: Row, nav: Navigation) -> Row:
    return {
        "id": document["id"],
        "parentId": document["id"],
        "parentType": dict(nav.const)["parentType"],
        "$v": document["$v"],
    }


def next_link(url: str, raw_query: str, token: str, taken: int, top: int | None) -> str:
    """The original options with what is left of $top, and where to go on."""
    kept = []
    for part in raw_query.split("&"):
        name = part.partition("=")[0].lower()
        if not part or name in ("$skiptoken", "%24skiptoken", "aid", "$skip", "%24skip"):
            continue
        if name in ("$top", "%24top") and top is not None:
            part = f"$top={top - taken}"
        kept.append(part)
    kept.append("aid=FIN")
    kept.append(f"$skiptoken={quote(token)}")
    return f"{url}?{'&'.join(kept)}"
