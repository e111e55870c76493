# ruff: noqa: S608 - names come from the model, values are bound
"""`$filter` trees -> SQL conditions, with Creatio's refusals on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from weft.testing.odata.filter import (
    Arithmetic,
    Call,
    Compare,
    In,
    Lambda,
    Literal,
    Logic,
    Node,
    Not,
    Path,
)

from .database import Database, quoted
from .errors import ODataError, bad_query, flat_lookup, incompatible, unknown_in_query
from .model import Column, Entity, Kind, Model
from .settings import CreatioSettings
from .values import parse_instant

_SQL = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_KINDS = {
    "eq": "Equal", "ne": "NotEqual", "gt": "GreaterThan", "ge": "GreaterThanOrEqual", "lt": "LessThan",
    "le": "LessThanOrEqual",
}  # fmt: skip
_NUMBERS = {"Edm.Int32", "Edm.Int64", "Edm.Decimal", "Edm.Double", "Edm.Single", "Edm.Int16", "Edm.Byte"}
_TEXT_TESTS = {"contains", "startswith", "endswith"}
_EXTENDED: dict[str, tuple[str, str, str]] = {
    "tolower": ("Edm.String", "Edm.String", "lower({0})"),
    "toupper": ("Edm.String", "Edm.String", "upper({0})"),
    "trim": ("Edm.String", "Edm.String", "trim({0})"),
    "length": ("Edm.String", "Edm.Int32", "length({0})"),
    "year": ("Edm.DateTimeOffset", "Edm.Int32", "CAST(substr({0},1,4) AS INTEGER)"),
    "month": ("Edm.DateTimeOffset", "Edm.Int32", "CAST(substr({0},6,2) AS INTEGER)"),
    "day": ("Edm.DateTimeOffset", "Edm.Int32", "CAST(substr({0},9,2) AS INTEGER)"),
}


@dataclass
class Term:
    """One SQL expression. `edm` is None for the null literal, `nav` true for a navigation used as a value."""

    sql: str
    args: list[Any]
    edm: str | None
    kind: Kind | None = None
    scale: int = 0
    value: Any = None
    key_of: str | None = None
    """Alias of the row whose own Id this is, for the database's order of GUIDs."""


@dataclass
class Names:
    """Resolves property paths from one object's alias, and remembers what only fails when the query runs."""

    model: Model
    settings: CreatioSettings
    database: Database
    failure: ODataError | None = field(default=None)
    _aliases: int = 0

    def alias(self) -> str:
        self._aliases += 1
        return f"p{self._aliases}"

    def column(self, entity: Entity, alias: str, segments: tuple[str, ...]) -> Term:
        """SQL of a path such as `Account/Type/Name`; raises the 400 for unknown names."""
        sql, path = self._walk(entity, entity, alias, segments, ())
        sql.sql = path
        return sql

    def _walk(
        self, root: Entity, entity: Entity, alias: str, segments: tuple[str, ...], walked: tuple[str, ...]
    ) -> tuple[Term, str]:
        name, rest = segments[0], segments[1:]
        if rest:
            nav = entity.navs.get(name)
            if nav is None:
                if name in self.model.back.get(entity.name, {}):
                    raise bad_query(
                        f"The parent value for a property access of a property '{rest[0]}' is not a single value. "
                        "Property access can only be applied to a single value."
                    )
                raise unknown_in_query(name, entity.name)
            if rest == ("Id",):
                return Term("", [], "Edm.Guid", "guid"), f"{alias}.{quoted(nav.name)}"
            target = self.model.target(nav)
            if target is None:
                raise unknown_in_query(rest[0], nav.ref or "")
            inner = self.alias()
            term, sql = self._walk(root, target, inner, rest, (*walked, name))
            joined = f"{inner}.Id={alias}.{quoted(nav.name)}"
            term.key_of = None
            return term, f"(SELECT {sql} FROM {quoted(target.name)} {inner} WHERE {joined})"
        column = entity.columns.get(name)
        if column is None:
            if (nav := entity.navs.get(name)) is not None:
                return Term("", [], f"Terrasoft.Configuration.OData.{nav.ref}", "lookup"), f"{alias}.{quoted(nav.name)}"
            raise unknown_in_query(name, entity.name)
        if column.kind == "lookup" and self.failure is None:
            self.failure = flat_lookup(".".join((*walked, name)), root.name)
        return _term_of(column, alias), f"{alias}.{quoted(column.name)}"


def _term_of(column: Column, alias: str) -> Term:
    return Term("", [], column.edm, column.kind, column.scale, key_of=alias if column.name == "Id" else None)


class Where:
    """Compiles one `$filter`. Use :meth:`condition`, then look at `names.failure` before running the SQL."""

    def __init__(self, names: Names, entity: Entity, alias: str) -> None:
        self.names = names
        self._entity = entity
        self._alias = alias

    def condition(self, node: Node) -> tuple[str, list[Any]]:
        """A node that must be boolean -> (SQL, arguments)."""
        match node:
            case Logic(operator, left, right):
                return self._logic(operator, left, right)
            case Not(operand):
                sql, args = self.condition(operand)
                return f"NOT ({sql})", args
            case Compare():
                return self._compare(node)
            case Lambda():
                return self._lambda(node)
            case In():
                raise bad_query("The operator 'in' is not supported.")
        term = self.term(node)
        if term.edm != "Edm.Boolean":
            raise bad_query("The $filter expression must evaluate to a single boolean value.")
        return f"{term.sql}=1", term.args

    def term(self, node: Node) -> Term:
        match node:
            case Literal():
                return self._literal(node)
            case Path(segments):
                return self.names.column(self._entity, self._alias, segments)
            case Call():
                return self._call(node)
            case Arithmetic("neg", Literal() as inner):
                term = self._literal(inner)
                term.value = -term.value
                term.args = [term.value]
                return term
            case Arithmetic():
                raise bad_query("Arithmetic operators are not allowed.")
        sql, args = self.condition(node)
        return Term(f"({sql})", args, "Edm.Boolean", "bool")

    def _logic(self, operator: str, left: Node, right: Node) -> tuple[str, list[Any]]:
        a, a_args = self.condition(left)
        b, b_args = self.condition(right)
        sql = f"({a} {operator.upper()} {b})"
        args = [*a_args, *b_args]
        # (x > v) OR (x = v AND …) implies x >= v, which lets the index find the start of the page
        if operator == "or" and (bound := _keyset_bound(left, right)) is not None:
            c, c_args = self.condition(bound)
            return f"({c} AND {sql})", [*c_args, *args]
        return sql, args

    def _compare(self, node: Compare) -> tuple[str, list[Any]]:
        left, right = self.term(node.left), self.term(node.right)
        _check(node.operator, left, right, self.names.settings)
        if left.edm is None and right.edm is None:
            return ("1" if node.operator == "eq" else "0"), []
        if right.edm is None or left.edm is None:
            return _null_test(node.operator, left if right.edm is None else right)
        operator = _SQL[node.operator]
        a, b = self._pair(left, right, node.operator), self._pair(right, left, node.operator)
        return f"{a} {operator} {b}", [*left.args, *right.args]

    def _pair(self, term: Term, other: Term, operator: str) -> str:
        """SQL of one side, brought to the form of the other."""
        if term.edm == "Edm.String":
            if not self.names.settings.text_case_insensitive:
                return term.sql
            if term.value is not None:
                term.args = [str(term.value).lower()]
                return term.sql
            return f"fold({term.sql})"
        if term.edm == "Edm.Guid" and operator not in ("eq", "ne") and "mssql" in self.names.settings.database:
            if term.value is not None:
                term.args = [mssql_key(str(term.value))]
                return term.sql
            return self.names.database.order_of_guid(term.key_of) if term.key_of else term.sql
        if term.edm in _NUMBERS and term.value is not None and other.scale:
            scaled = Decimal(term.value).scaleb(other.scale)
            term.args = [int(scaled) if scaled == scaled.to_integral_value() else float(scaled)]
        elif term.edm in _NUMBERS and term.value is None and other.value is None and other.scale > term.scale:
            return f"({term.sql}*{10 ** (other.scale - term.scale)})"
        elif term.edm in _NUMBERS and isinstance(term.value, Decimal):
            term.args = [float(term.value)]
        return term.sql

    def _literal(self, node: Literal) -> Term:
        value = node.value
        match node.kind:
            case "Null":
                return Term("NULL", [], None)
            case "Edm.Guid":
                value = str(value).lower()
            case "Edm.Boolean":
                value = int(bool(value))
            case "Edm.DateTimeOffset":
                try:
                    value = parse_instant(str(value), self.names.settings)
                except ValueError as error:
                    raise bad_query(f"Unrecognized 'Edm.DateTimeOffset' literal '{value}'.") from error
                value = value or "0001-01-01T00:00:00.0000000"
        return Term("?", [value], node.kind, value=value)

    def _call(self, node: Call) -> Term:
        name = node.name
        terms = [self.term(argument) for argument in node.arguments]
        if name in _TEXT_TESTS:
            if len(terms) != 2:
                raise _unknown_function(name)
            for term in terms:
                if term.edm != "Edm.String":
                    raise _unknown_function(name)
            where, what = (self._pair(t, t, "eq") for t in terms)
            args = [*terms[0].args, *terms[1].args]
            if name == "contains":
                sql = f"(instr({where},{what})>0)"
            elif name == "startswith":
                sql, args = f"(instr({where},{what})=1)", args
            else:
                sql = f"(substr({where},-length({what}))={what})"
                args = [*terms[0].args, *terms[1].args, *terms[1].args]
            return Term(sql, args, "Edm.Boolean", "bool")
        known = _EXTENDED.get(name) if self.names.settings.extended_functions else None
        if known is None or len(terms) != 1 or terms[0].edm != known[0]:
            raise _unknown_function(name)
        return Term(known[2].format(terms[0].sql), terms[0].args, known[1])

    def _lambda(self, node: Lambda) -> tuple[str, list[Any]]:
        if not self.names.settings.lambda_filters or len(node.path.segments) != 1:
            raise bad_query("Any/All may only be used following a collection.")
        back = self.names.model.back.get(self._entity.name, {}).get(node.path.segments[0])
        if back is None:
            raise unknown_in_query(node.path.segments[0], self._entity.name)
        child = self.names.model.entities[back[0]]
        alias = self.names.alias()
        joined = f"FROM {quoted(child.name)} {alias} WHERE {alias}.{quoted(back[1])}={self._alias}.Id"
        if node.body is None:
            return f"EXISTS (SELECT 1 {joined})", []
        inner = _ElementWhere(self.names, child, alias, node.variable or "")
        sql, args = inner.condition(node.body)
        if node.operator == "any":
            return f"EXISTS (SELECT 1 {joined} AND ({sql}))", args
        return f"NOT EXISTS (SELECT 1 {joined} AND NOT ({sql}))", args


class _ElementWhere(Where):
    """Inside any/all: paths start with the variable."""

    def __init__(self, names: Names, entity: Entity, alias: str, variable: str) -> None:
        super().__init__(names, entity, alias)
        self._variable = variable

    def term(self, node: Node) -> Term:
        if isinstance(node, Path) and node.segments[0] == self._variable and len(node.segments) > 1:
            node = Path(node.segments[1:], node.position)
        return super().term(node)


def _check(operator: str, left: Term, right: Term, settings: CreatioSettings) -> None:
    a, b = left.edm, right.edm
    if a is None or b is None:
        return
    fits = a == b or (a in _NUMBERS and b in _NUMBERS)
    if fits and operator not in ("eq", "ne"):
        fits = a != "Edm.Boolean" and (a != "Edm.Guid" or settings.guid_comparison)
    if not fits:
        raise incompatible(a, b, _KINDS[operator])


def _null_test(operator: str, term: Term) -> tuple[str, list[Any]]:
    if operator not in ("eq", "ne"):
        return "0", []
    sql = f"({term.sql} IS NULL OR {term.sql}='')" if term.edm == "Edm.String" else f"({term.sql} IS NULL)"
    args = [*term.args, *term.args] if term.edm == "Edm.String" else term.args
    return (sql if operator == "eq" else f"NOT {sql}"), args


def _keyset_bound(left: Node, right: Node) -> Compare | None:
    if not (isinstance(left, Compare) and left.operator in ("gt", "lt") and isinstance(left.right, Literal)):
        return None
    first = right.left if isinstance(right, Logic) and right.operator == "and" else None
    if not (isinstance(first, Compare) and first.operator == "eq"):
        return None
    same = (
        isinstance(left.left, Path) and isinstance(first.left, Path) and isinstance(first.right, Literal)
        and left.left.segments == first.left.segments and left.right.value == first.right.value
    )  # fmt: skip
    return Compare("ge" if left.operator == "gt" else "le", left.left, left.right, left.position) if same else None


def _unknown_function(name: str) -> ODataError:
    return bad_query(
        f"An unknown function with name '{name}' was found. This may also be a function import or a key lookup on a "
        "navigation property, which is not allowed."
    )


def mssql_key(guid: str) -> str:
    """The text by which SQL Server orders a uniqueidentifier."""
    spans = ((24, 36), (19, 23), (16, 18), (14, 16), (11, 13), (9, 11), (6, 8), (4, 6), (2, 4), (0, 2))
    return "".join(guid[a:b] for a, b in spans)
