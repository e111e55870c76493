"""GET: filters, order, pages, $select, $expand, and the bytes of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus

from weft.testing.odata.compile import Scope
from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.filter import Compare, Literal, Logic, Node, Path
from weft.testing.odata.plan import find_rows
from weft.testing.odata.query import Query
from weft.testing.odata.render import dumps
from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import bad_request
from weft_d365fo.simulator.filters import both, prepare, refused
from weft_d365fo.simulator.schema import NAMESPACE, EntitySet
from weft_d365fo.simulator.tables import Link, Shown, qualified
from weft_d365fo.simulator.values import etag
from weft_d365fo.simulator.views import RECID, VERSION
from weft_d365fo.simulator.world import User, World

_INVOICES = frozenset({"CustInvoiceJour", "CustInvoiceTrans"})
KEEP_ROWS = 60  # the bytes of rows with at most so many properties are kept


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    more: bool
    count: int | None


@dataclass(frozen=True)
class Form:
    """``metadata``: none, minimal, full."""

    metadata: str
    root: str


def equal(column: str, value: Any, edm: str = "Edm.String") -> Node:
    return Compare("eq", Path((column,), 0), Literal(edm, value, 0), 0)


class Reader:
    def __init__(self, world: World) -> None:
        self.world = world
        self._templates: dict[tuple[str, tuple[str, ...] | None], _Template] = {}

    # Finding rows

    def restriction(self, shown: Shown, user: User, cross_company: bool) -> Node | None:
        """The companies a request may see: the user's default company, or with cross-company all of his."""
        found: Node | None = None
        if shown.set.company_key:
            if not cross_company:
                found = equal("dataAreaId", user.company)
            elif user.companies is not None:
                for company in sorted(user.companies):
                    test = equal("dataAreaId", company)
                    found = test if found is None else Logic("or", found, test, 0)
        return found

    def page(
        self,
        shown: Shown,
        query: Query,
        *,
        top: int | None,
        within: Node | None = None,
        count: bool = False,
    ) -> Page:
        """Rows of a set. ``within`` names properties like the filter does."""
        where = None if query.where is None else prepare(query.where, shown.set, self.world.settings)
        self._check_names(shown.set, query)
        filed = self.world.filed(shown.view.table)
        where = both(within, where)
        scope = Scope(self.world.store, filed.table, entity=shown.queried)
        where = both(self._kind(shown), where)
        try:
            found = find_rows(
                scope, where=where, order=query.order, skip=query.skip or 0, top=top, count=count or bool(query.count)
            )
        except ODataQueryError as error:
            raise refused(error) from None
        return Page(found.rows, found.more, found.count)

    def _kind(self, shown: Shown) -> Node | None:
        """Journals of one kind share a table; so do invoices of orders and free text invoices."""
        found: Node | None = None
        if shown.view.table in _INVOICES and not self.world.settings.free_text_in_invoices and not shown.view.partial:
            found = equal("$kind", "Sales")
        for column, value in shown.view.where.items():
            found = both(found, equal(column, value))
        return found

    def _check_names(self, entity_set: EntitySet, query: Query) -> None:
        if query.search is not None or any(option in query.other for option in ("$apply", "$compute")):
            raise bad_request(
                "The query specified in the URI is not valid. $apply, $compute, $search are not supported."
            )
        for option in query.other:
            if option != "$format":
                raise bad_request(f"The query parameter '{option}' is not supported.")
        for name in query.select or ():
            if f"{entity_set.name}.{name}" in self.world.settings.unfilterable:
                raise bad_request(f"The query specified in the URI is not valid. The field '{name}' cannot be queried.")
        for item in query.expand:
            if item.query.expand:
                raise bad_request(
                    "The query specified in the URI is not valid. $expand is served on the first level only."
                )

    def locate(self, shown: Shown, key: Mapping[str, Any], user: User, cross_company: bool) -> Row | None:
        """The row with that key, None where there is none or the company is not looked at."""
        company = key.get("dataAreaId")
        if company is not None:
            company = str(company).lower()
            key = {**key, "dataAreaId": company}
            if not user.sees(company) or (company != user.company and not cross_company):
                return None
        filed = self.world.filed(shown.view.table)
        if shown.own_key:
            row = filed.table.get(filed.key_of({shown.columns[name]: value for name, value in key.items()}))
        else:
            where: Node | None = None
            for name, value in key.items():
                where = both(where, equal(name, value, shown.set.properties[name].edm))
            rows = self.page(shown, Query(), top=1, within=where).rows
            row = rows[0] if rows else None
        if row is not None and any(row.get(column) != value for column, value in shown.view.where.items()):
            return None
        return row

    # Rows to bytes

    def render(self, shown: Shown, rows: Iterable[Row], query: Query, form: Form, user: User) -> list[bytes]:
        names = self._selected(shown, query)
        known = self._templates.get((shown.set.name, names))
        if known is None:
            if len(self._templates) > 500:
                self._templates.clear()
            known = self._templates[shown.set.name, names] = _Template(shown, names)
        template = known
        rows = list(rows)
        if len(template.names) <= KEEP_ROWS and form.metadata != "full":
            table = self.world.filed(shown.view.table).table
            shape = (shown.set.name, names, form.metadata)
            done = table.rendered(rows, shape, lambda row: template.render(row, form))
        else:
            done = [template.render(row, form) for row in rows]
        if not query.expand:
            return done
        return [self._expanded(data, shown, row, query, form, user) for data, row in zip(done, rows, strict=True)]

    def _selected(self, shown: Shown, query: Query) -> tuple[str, ...] | None:
        if query.select is None:
            return None
        names = []
        for name in query.select:
            if name in shown.links:
                continue
            if name not in shown.set.properties:
                raise bad_request(
                    "The query specified in the URI is not valid. Could not find a property named "
                    f"'{name}' on type '{qualified(shown.set)}'."
                )
            names.append(name)
        return tuple(names)

    def _expanded(self, data: bytes, shown: Shown, row: Row, query: Query, form: Form, user: User) -> bytes:
        parts = [data[:-1]]
        for item in query.expand:
            link = self.link(shown, item.name)
            rows = self.related(shown, link, row, item.query, user)
            inner = self.render(self.world.shown_set(link.target), rows, item.query, form, user)
            made = b"[" + b",".join(inner) + b"]" if link.many else (inner[0] if inner else b"null")
            parts.append(b"," + dumps(link.name) + b":" + made if parts != [b"{"] else dumps(link.name) + b":" + made)
        return b"".join(parts) + b"}"

    def link(self, shown: Shown, name: str) -> Link:
        link = shown.links.get(name)
        if link is None:
            raise bad_request(
                "The query specified in the URI is not valid. Could not find a property named "
                f"'{name}' on type '{qualified(shown.set)}'."
            )
        return link

    def related(self, shown: Shown, link: Link, row: Row, query: Query, user: User) -> list[Row]:
        target = self.world.shown_set(link.target)
        where: Node | None = None
        for own, other in link.on:
            value = row.get(shown.columns[own], shown.prop(own).blank)
            where = both(where, equal(other, value, target.prop(other).edm))
        return self.page(target, query, top=query.top, within=where).rows


class _Template:
    """Rows of one shape, that is with the same columns, have the same blanks: these are encoded once."""

    def __init__(self, shown: Shown, names: tuple[str, ...] | None) -> None:
        self.shown = shown
        self.names = tuple(shown.set.properties) if names is None else names
        self._shapes: dict[tuple[str, ...], tuple[list[tuple[str, str]], bytes]] = {}

    def _shape(self, columns: tuple[str, ...]) -> tuple[list[tuple[str, str]], bytes]:
        """(name, column) of what such rows hold, and the bytes of what they lack."""
        held = set(columns)
        named = [(name, self.shown.columns[name]) for name in self.names if self.shown.columns[name] in held]
        blank = {name: self.shown.prop(name).blank for name in self.names if self.shown.columns[name] not in held}
        if len(self._shapes) > 200:
            self._shapes.clear()
        self._shapes[columns] = named, dumps(blank)[1:-1]
        return self._shapes[columns]

    def render(self, row: Row, form: Form) -> bytes:
        columns = tuple(row)
        named, blanks = self._shapes.get(columns) or self._shape(columns)
        parts = [dumps({name: row[column] for name, column in named})[1:-1], blanks]
        if form.metadata != "none":
            parts.insert(0, b'"@odata.etag":' + dumps(etag(row[VERSION], row[RECID])))
        if form.metadata == "full":
            address = f"{form.root}/{address_of(self.shown, row)}"
            kind = f"#{NAMESPACE}.{self.shown.set.type}"
            parts.insert(0, dumps({"@odata.type": kind, "@odata.id": address, "@odata.editLink": address})[1:-1])
        return b"{" + b",".join(part for part in parts if part) + b"}"


def address_of(shown: Shown, row: Row) -> str:
    """``CustomersV3(dataAreaId='usmf',CustomerAccount='US-001')``"""
    parts = []
    for name in shown.set.key:
        prop = shown.prop(name)
        value = row.get(shown.columns[name], prop.blank)
        if prop.kind == "S":
            text = "'" + quote(str(value).replace("'", "''"), safe="") + "'"
        elif prop.kind == "E":
            text = f"{prop.edm}'{value}'"
        elif prop.kind == "N":
            text = f"{value:f}" if not isinstance(value, int) else str(value)
        else:
            text = str(value)
        parts.append(f"{name}={text}")
    return f"{shown.set.name}({','.join(parts)})"


def next_link(url: str, raw_query: str, *moved: str) -> str:
    """The same URL with the options that page moved on; the rest of the query as it was sent."""
    paging = ("$skip", "$top", "$skiptoken")
    kept = [part for part in raw_query.split("&") if part and unquote_plus(part.partition("=")[0]) not in paging]
    return f"{url}?{'&'.join([*kept, *moved])}"
