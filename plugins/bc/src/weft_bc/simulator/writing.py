"""POST, PATCH, DELETE and actions on the records of a company."""

from __future__ import annotations

from typing import Any

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import BcError, bad_request, entity_changed
from weft_bc.simulator.rules import all_rules
from weft_bc.simulator.rules.actions import run
from weft_bc.simulator.rules.base import Parent
from weft_bc.simulator.rules.kinds import DOCUMENTS
from weft_bc.simulator.schema import EntitySet
from weft_bc.simulator.values import etag, split_body

_TAG = 'W/"'


def not_allowed(entity_set: EntitySet, verb: str) -> BcError:
    return BcError(
        405,
        "BadRequest_MethodNotAllowed",
        f"Entity set '{entity_set.name}' does not support {verb}.",
    )


class Writer:
    """Writes through the rules, each in one transaction."""

    def __init__(self) -> None:
        self.rules = all_rules()

    def create(self, co: Company, entity_set: EntitySet, body: Any, parent: Parent | None) -> Row:
        """Insert, with the collections nested in the body."""
        if "C" not in entity_set.can:
            raise not_allowed(entity_set, "POST")
        with co.transaction():
            return self._create(co, entity_set, body, parent)

    def _create(self, co: Company, entity_set: EntitySet, body: Any, parent: Parent | None) -> Row:
        values, nested = split_body(co.schema, entity_set, body, co.settings, inserting=True)
        discount = None
        if entity_set.name in DOCUMENTS and nested:
            discount = values.pop("discountAmount", None)
        row = self.rules[entity_set.name].insert(co, entity_set.name, values, parent)
        key = co.tables[entity_set.name].entity.key
        for nav_name, children in nested.items():
            nav = entity_set.nav[nav_name]
            for child in children:
                above = Parent(entity_set.name, co.must(entity_set.name, row[key]), nav_name)
                self._create(co, co.schema[nav.target], child, above)
        if nested:
            row = co.must(entity_set.name, row[key])
        if discount:
            row = self.rules[entity_set.name].modify(co, entity_set.name, row, {"discountAmount": discount})
        return row

    def update(self, co: Company, entity_set: EntitySet, row: Row, body: Any, if_match: str | None) -> Row:
        if "U" not in entity_set.can:
            raise not_allowed(entity_set, "PATCH")
        check_tag(co, row, if_match, needed=True)
        values, _ = split_body(co.schema, entity_set, body, co.settings, inserting=False)
        with co.transaction():
            return self.rules[entity_set.name].modify(co, entity_set.name, row, values)

    def remove(self, co: Company, entity_set: EntitySet, row: Row, if_match: str | None) -> None:
        if "D" not in entity_set.can:
            raise not_allowed(entity_set, "DELETE")
        check_tag(co, row, if_match, needed=False)
        with co.transaction():
            self.rules[entity_set.name].remove(co, entity_set.name, row)

    def act(
        self, co: Company, entity_set: EntitySet, row: Row, action: str, body: bytes, if_match: str | None
    ) -> tuple[str, Row]:
        """Run a bound action; its name in any letter case. Returns where the result is."""
        name = entity_set.actions.get(action.lower())
        if name is None:
            raise BcError(404, "BadRequest_NotFound", f"Resource not found for the segment 'Microsoft.NAV.{action}'.")
        if body.strip() not in (b"", b"{}"):
            raise bad_request(f"The action '{name}' takes no parameters.")
        check_tag(co, row, if_match, needed=False)
        with co.transaction():
            return run(co, entity_set.name, name, row)


def check_tag(co: Any, row: Row, if_match: str | None, *, needed: bool) -> None:
    """If-Match: ``*`` or the tag of the current version."""
    if if_match is None:
        if needed:
            raise BcError(
                400,
                "BadRequest_InvalidToken",
                "The request requires an If-Match header with the @odata.etag of the record.",
            )
        return
    tag = if_match.strip()
    if tag == "*":
        return
    if not tag.startswith(_TAG) or not tag.endswith('"') or len(tag) < 5:
        raise BcError(400, "BadRequest_InvalidToken", f"The token in the If-Match header is not valid: {tag}")
    if tag != etag(row["$v"]):
        raise entity_changed(co.settings.stale_etag_status)
