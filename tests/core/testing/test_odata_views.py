"""A set that shows a table under other names, and how it is published."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from weft.testing.odata.edmx import metadata_xml
from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.plan import find_rows
from weft.testing.odata.query import parse_query
from weft.testing.odata.schema import EntityType, Model, Property, properties
from weft.testing.odata.scope import Scope
from weft.testing.odata.store import Store

TABLE = EntityType(
    "Account", None, "$key", properties(Property("$key"), Property("Number"), Property("Limit", "Edm.Int32"))
)
SHOWN = EntityType(
    "Customer",
    "Customers",
    "Company",
    properties(
        Property("Company", nullable=False, column="$key"),
        Property(
            "AccountNum", nullable=False, column="Number", annotations={"T.Kind": ["T.Kind/Text"], "T.Must": True}
        ),
        Property("Credit", "Edm.Int32", column="Limit", default=0),
    ),
    published_key=("Company", "AccountNum"),
    annotations={"T.Label": "@1"},
)


def test_names_of_a_set_lead_to_columns_of_its_table_and_a_missing_column_is_its_default() -> None:
    store = Store()
    table = store.table(TABLE, hashed=("Number",))
    for at in range(20):
        table.insert({"$key": f"k{at:02d}", "Number": str(at), "Limit": at + 1})
    table.insert({"$key": "bare", "Number": "99"})
    scope = Scope(store, table, entity=SHOWN)

    def found(query: str) -> tuple[list[str], str]:
        asked = parse_query(query)
        result = find_rows(scope, where=asked.where, order=asked.order)
        return [row["$key"] for row in result.rows], result.plan

    assert found("$filter=AccountNum eq '2'") == (["k02"], "hash Number")
    assert found("$filter=Credit eq 0")[0] == ["bare"]
    assert found("$orderby=Credit")[0][:2] == ["bare", "k00"]
    with pytest.raises(ODataQueryError, match="'Number' on type 'Customer'"):
        found("$filter=Number eq '2'")


def test_keys_of_several_parts_and_annotations_are_published() -> None:
    text = metadata_xml(Model("N", {"Customer": SHOWN}))
    ns = {"e": "http://docs.oasis-open.org/odata/ns/edm"}
    entity = ElementTree.fromstring(text).find(".//e:EntityType", ns)  # noqa: S314 - made above
    assert entity is not None
    assert [ref.get("Name") for ref in entity.findall("e:Key/e:PropertyRef", ns)] == ["Company", "AccountNum"]
    notes = entity.findall("e:Property[@Name='AccountNum']/e:Annotation", ns)
    assert [(note.get("Term"), note.get("Bool")) for note in notes] == [("T.Kind", None), ("T.Must", "true")]
    assert notes[0][0].text == "T.Kind/Text"
    label = entity.find("e:Annotation", ns)
    assert label is not None
    assert (label.get("Term"), label.get("String")) == ("T.Label", "@1")
