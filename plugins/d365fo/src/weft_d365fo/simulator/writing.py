"""POST, PATCH and DELETE on /data: the pipeline every entity goes through.

On create: the supplied fields are set and validated one by one, then the row is defaulted, then it is validated
as a whole and written. So an empty text that is supplied is not defaulted, and one left out is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.testing.odata.store import DuplicateKey, Row
from weft_d365fo.simulator.errors import INVALID_OPERATION, FoError, Refused, bad_request, refused, write_failed
from weft_d365fo.simulator.rules import all_rules
from weft_d365fo.simulator.rules.base import Rule, Write, must_be_filled
from weft_d365fo.simulator.schema import NO_DATE, NO_TIME, Property
from weft_d365fo.simulator.tables import Shown, qualified
from weft_d365fo.simulator.values import decode, etag
from weft_d365fo.simulator.views import RECID, TABLE_NAMES, VERSION
from weft_d365fo.simulator.world import Company, User, World


class Writer:
    """Writes through the rules, each in one transaction."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rules = all_rules()
        self._plain = Rule()

    def rule(self, shown: Shown) -> Rule:
        return self.rules.get(shown.view.table, self._plain)

    # The three verbs, for requests

    def create(self, shown: Shown, body: Any, user: User) -> Row:
        """Raises FoError."""
        self._writable(shown, user, "POST")
        with self._wording(shown), self.world.store.transaction():
            nested = self._nested(shown, body)
            given = self._given(
                shown, {k: v for k, v in body.items() if k not in nested} if nested else body, creating=True
            )
            row = self.insert(shown, given, self._company(shown, given, user))
            for name, children in nested.items():
                self._insert_children(shown, row, name, children, user)
            return row

    def blank_body(self, shown: Shown) -> dict[str, Any]:
        """What a PUT that resets sets: every field that may be written, but for the key, to its blank."""
        return {
            prop.name: prop.blank
            for prop in shown.set.properties.values()
            if not (prop.is_key or prop.read_only or prop.fixed or prop.mandatory)
        }

    def update(self, shown: Shown, row: Row, body: Any, user: User, if_match: str | None) -> Row:
        """Raises FoError."""
        self._writable(shown, user, "PATCH")
        self._match(row, if_match)
        with self._wording(shown), self.world.store.transaction():
            given = self._given(shown, body, creating=False)
            return self.change(shown, row, given)

    def remove(self, shown: Shown, row: Row, user: User, if_match: str | None) -> None:
        """Raises FoError."""
        self._writable(shown, user, "DELETE")
        self._match(row, if_match)
        with self._wording(shown, "Delete"), self.world.store.transaction():
            rule = self.rule(shown)
            rule.check_delete(self.world, row)
            self.world.delete(shown.view.table, row)
            rule.deleted(self.world, row)

    # The pipeline, also for packages and administrators

    def insert(self, shown: Shown, given: dict[str, Any], company: Company | None) -> Row:
        """Columns in, row out. Raises Refused."""
        rule = self.rule(shown)
        w = Write(self.world, shown, company, given, None, {**given, **shown.view.where})
        if shown.set.company_key and company is not None:
            w.values["dataAreaId"] = company.id
        rule.check_relations(w)
        self._dimensions(w)
        rule.default(w)
        self._mandatory(w)
        rule.check(w)
        try:
            row = self.world.insert(shown.view.table, w.values)
        except DuplicateKey:
            raise self._exists(w) from None
        return rule.after(w, row)

    def change(self, shown: Shown, row: Row, given: dict[str, Any]) -> Row:
        """Columns in, row out. Raises Refused."""
        rule = self.rule(shown)
        company = self.world.companies.get(row.get("dataAreaId", ""))
        w = Write(self.world, shown, company, given, row, dict(given))
        for column in self.world.filed(shown.view.table).key:
            if w.changes(column):
                name = shown.names.get(column, column)
                raise refused("Error", f"Field '{shown.set.properties[name].label}' cannot be changed.")
        rule.check_relations(w)
        self._dimensions(w)
        rule.default(w)
        self._mandatory(w)
        rule.check(w)
        row = self.world.update(shown.view.table, row, w.values, touch=rule.touches(w))
        return rule.after(w, row)

    # Parts

    def _nested(self, shown: Shown, body: Any) -> dict[str, list[Any]]:
        """The collections of lines in a body, where the environment takes them."""
        if not self.world.settings.deep_insert or not isinstance(body, Mapping):
            return {}
        return {k: v for k, v in body.items() if k in shown.links and shown.links[k].many and isinstance(v, list)}

    def _insert_children(self, shown: Shown, row: Row, name: str, children: list[Any], user: User) -> None:
        link = shown.links[name]
        target = self.world.shown_set(link.target)
        above = {other: row[shown.columns[own]] for own, other in link.on}
        for child in children:
            self.create(target, {**child, **above} if isinstance(child, Mapping) else child, user)

    def _writable(self, shown: Shown, user: User, method: str) -> None:
        denied = user.denied
        if any(
            entry in denied for entry in ((shown.set.name, method), (shown.set.name, "*"), ("*", method), ("*", "*"))
        ):
            raise FoError(403, f"User {user.id} has no privilege to {method} {shown.set.name}.", INVALID_OPERATION)
        if shown.set.read_only:
            raise FoError(400, f"The entity '{shown.set.type}' is read-only.", INVALID_OPERATION)

    def _match(self, row: Row, if_match: str | None) -> None:
        status = self.world.settings.stale_etag_status
        if if_match is None or if_match == "*" or status is None:
            return
        if if_match != etag(row[VERSION], row[RECID]):
            raise FoError(status, "The etag of the request does not match that of the record.", INVALID_OPERATION)

    def _wording(self, shown: Shown, verb: str = "Write") -> _Wording:
        return _Wording(shown.set.aot, verb)

    def _company(self, shown: Shown, given: Mapping[str, Any], user: User) -> Company | None:
        """Named in the body, or the default of the user. Tables without companies are written in none."""
        if not shown.set.company_key:
            return None
        name = given.get(shown.columns["dataAreaId"]) or user.company
        company = self.world.company(str(name))
        if company is None or not user.sees(company.id):
            raise FoError(
                400, f"The company {name} does not exist or user {user.id} has no access to it.", INVALID_OPERATION
            )
        return company

    def _given(self, shown: Shown, body: Any, *, creating: bool) -> dict[str, Any]:
        """A body as columns. Raises FoError or Refused."""
        if not isinstance(body, Mapping):
            raise bad_request("The request body must be a JSON object.")
        given: dict[str, Any] = {}
        for name, raw in body.items():
            if "@" in name:
                continue
            prop = shown.set.properties.get(name)
            if prop is None:
                if name in shown.links:
                    raise bad_request(f"The navigation property '{name}' cannot be written in this request.")
                raise bad_request(
                    f"The property '{name}' does not exist on type '{qualified(shown.set)}'. Make sure to only use "
                    "property names that are defined by the type."
                )
            value = decode(prop, raw, self.world.settings)
            if self._locked(prop, creating):
                if self.world.settings.read_only_fields == "refuse":
                    raise refused("Error", f"Field '{prop.label}' cannot be edited.", f"{{aot}}.{name} is read-only.")
                continue
            given[shown.columns[name]] = value.lower() if name == "dataAreaId" else value
        return given

    @staticmethod
    def _locked(prop: Property, creating: bool) -> bool:
        if prop.read_only:
            return not (prop.is_key and not creating)
        return prop.fixed and not prop.is_key and not creating

    def _mandatory(self, w: Write) -> None:
        for prop in w.shown.filled:
            column = w.shown.columns[prop.name]
            if not w.creating and column not in w.given:
                continue
            value = w.get(column)
            empty = value in ("", None, NO_DATE, NO_TIME) or (
                prop.kind in "NIL" and value == 0 and column not in w.given
            )
            if empty and not (prop.is_key and w.table in _EMPTY_KEYS):
                raise must_be_filled(prop.name, w.table)

    def _dimensions(self, w: Write) -> None:
        company = w.company.id if w.company else None
        for column, value in w.given.items():
            name = w.shown.names.get(column)
            if (
                not value
                or name is None
                or not w.shown.set.properties[name].is_dimension
                or w.table in _DIMENSION_TABLES
            ):
                continue
            if "MainAccount" in name:
                w.dimensions.check_ledger(value, company, w.shown.set.properties[name].label)
            elif "Dimension" in name:
                w.dimensions.check_default(value, company, w.shown.set.properties[name].label)

    def _exists(self, w: Write) -> Refused:
        names = [name for name in w.shown.set.key if name != "dataAreaId"]
        told = ", ".join(f"{w.shown.set.properties[n].label}: {w.values.get(w.shown.columns[n], '')}" for n in names)
        label = f"{w.shown.set.label} ({TABLE_NAMES.get(w.table, w.table)})"
        return refused("Info", f"Cannot create a record in {label}. {told}.\nThe record already exists.")


_EMPTY_KEYS = frozenset({"FinancialDimensionValues", "CDSInventoryOnHandEntries", "WarehousesOnHandV2",
                         "InventorySitesOnHandV2", "BusinessEventsConfigurations"})  # fmt: skip
_DIMENSION_TABLES = frozenset({"DimensionSets", "DimensionCombinations"})


class _Wording:
    """Turns what a rule refuses into the service's error."""

    def __init__(self, aot: str, verb: str) -> None:
        self.aot, self.verb = aot, verb

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Refused):
            log = [(severity, text.replace("{aot}", self.aot)) for severity, text in error.log]
            raise write_failed(self.aot, log, self.verb) from None
