"""`where` holds for records that are read by key as well: they may have left what it describes."""

from __future__ import annotations

from weft.mapping.compile import compile_mapping
from weft.mapping.document import Mapping
from weft.mapping.tables import NoTables
from weft.model.entity import EntityType, Field
from weft.records import Record

CUSTOMER = EntityType("customer", fields={"name": Field("name")})
MAPPING = Mapping.model_validate(
    {
        "entity": "customer", "object": "Accounts", "key": ["Id"], "fields": {"Name": "name"},
        "where": {"Type": ["A", "b"], "Owner/Name": "Somebody"},
    }
)  # fmt: skip


def test_a_record_outside_where_is_excluded_with_the_reason() -> None:
    compiled = compile_mapping(MAPPING, CUSTOMER, kind="test")
    rows = [{"Type": "a"}, {"Type": "B"}, {"Type": "C"}, {}]
    mapped = compiled.read([Record("Accounts", str(n), {"Name": "x", **row}) for n, row in enumerate(rows)], NoTables())
    assert [one.excluded for one in mapped] == [None, None, "not customer: Type is 'C'", None]
    assert "Type" in compiled.native_fields()
    assert "Owner/Name" not in compiled.native_fields()
