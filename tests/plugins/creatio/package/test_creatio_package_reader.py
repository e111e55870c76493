"""Reading packages that weft did not build: the shapes seen in deployed packages, made up anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from weft_creatio.package.archive import pack, pack_zip
from weft_creatio.package.errors import PackageError
from weft_creatio.package.install import Default, read_package, read_packages, read_tree
from weft_creatio.package.metadata import Change, parse_diff, render_diff

UID = "11111111-2222-4333-8444-555555555555"
COLUMN = "21111111-2222-4333-8444-555555555555"
GOLD = f"""\
= MetaData.Schema.UId "{UID}"
= MetaData.Schema.A2 "UsrGold"
= MetaData.Schema.EG1.BK4.["08594d74-60b0-45ce-bf17-bac1a8b127f7"].CK2.["{COLUMN}"].BL7 "x"
= MetaData.Schema.EG1.JC1 []
= MetaData.Schema.D8 "1bab9dcf-17d5-49f8-9536-8e0064f1dce0"
+ MetaData.Schema.D4 "{COLUMN}"
+ MetaData.Schema.D2 {{
  "UId": "{COLUMN}",
  "A2": "UsrRate",
  "S2": "325a73b8-0f47-44a0-8412-7606f78003ac",
  "E2": 1,
  "E12": {{ "FB1": 2, "FB2": "UsrDefaultRate" }}
}}
+ MetaData.Schema.D2 {{
  "UId": "31111111-2222-4333-8444-555555555555",
  "A2": "UsrElsewhere",
  "S2": "B295071F-7EA9-4E62-8D1A-919BF3732FF2",
  "S4": "99999999-2222-4333-8444-555555555555"
}}
~ MetaData.Schema.D2 ["{COLUMN}"]
- MetaData.Schema.EG1.B6
+ MetaData.Schema.D2.["ae0e45ca-c495-4fe7-a39d-3ab7278e1617"].E16 false"""


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _tree(metadata: str = GOLD, **descriptor: Any) -> dict[str, bytes]:
    schema = {
        "UId": UID,
        "Name": "UsrGold",
        "Parent": {"UId": "1bab9dcf-17d5-49f8-9536-8e0064f1dce0", "Name": "BaseEntity"},
        "ManagerName": "EntitySchemaManager",
        "Caption": "Gold",
    }
    return {
        "descriptor.json": _json({"Descriptor": {"UId": UID.replace("1", "7"), "Name": "UsrPkg"}}),
        "Schemas/UsrGold/descriptor.json": _json({"Descriptor": schema | descriptor}),
        "Schemas/UsrGold/metadata.json": metadata.encode(),
    }


def test_object_in_a_diff_with_windows_line_ends_and_no_resources() -> None:
    contents = read_package(pack(_tree(GOLD.replace("\n", "\r\n"))))
    gold = contents.object("UsrGold")
    rate, elsewhere = gold.columns
    assert (gold.parent, gold.extends, gold.display, gold.caption) == ("BaseEntity", False, "UsrRate", "Gold")
    assert (rate.type, rate.required, rate.max_length) == ("ShortText", True, 50)
    assert rate.default == Default("Settings", "UsrDefaultRate")
    assert (elsewhere.odata_name, elsewhere.ref) == ("UsrElsewhereId", None)
    assert elsewhere.ref_uid == "99999999-2222-4333-8444-555555555555"
    assert (contents.version, contents.listeners) == (None, ())


def test_object_without_a_parent_is_whole_json() -> None:
    schema = {"UId": UID, "A2": "UsrGold", "D2": [{"UId": COLUMN, "A2": "UsrOn", "S2": _uid("Date")}]}
    tree = _tree(json.dumps({"MetaData": {"Schema": schema}}), Parent=None)
    gold = read_tree(tree).object("UsrGold")
    assert gold.parent is None
    assert [(column.name, column.type) for column in gold.columns] == [("UsrOn", "Date")]


def _uid(type_name: str) -> str:
    from weft_creatio.package.stock import DATA_TYPES

    return DATA_TYPES[type_name].upper()


def test_listeners_come_from_the_code_and_not_from_its_comments() -> None:
    code = """
    // [EntityEventListener(SchemaName = "Case")]
    /* [EntityEventListener(SchemaName = "Lead")] */
    [EntityEventListener(SchemaName = "Order")]
    [ EntityEventListener( SchemaName="UsrGold" ) ]
    class A : BaseEntityEventListener {
      static Map<string, string> p = new Map<string, string> { { "UsrGold", "UsrParent" }, { "x", "y" } };
    }"""
    tree = _tree() | {
        "Schemas/UsrL/descriptor.json": _json(
            {"Descriptor": {"UId": COLUMN, "Name": "UsrL", "ManagerName": "SourceCodeSchemaManager"}}
        ),
        "Schemas/UsrL/UsrL.cs": code.encode(),
    }
    contents = read_tree(tree)
    assert contents.listeners == ("Order", "UsrGold")
    assert contents.listener_parents == {"UsrGold": "UsrParent"}


def test_data_rows_join_their_localization() -> None:
    columns = [
        {"ColumnUId": "A" * 8 + UID[8:], "IsKey": True, "ColumnName": "Id"},
        {"ColumnUId": COLUMN, "IsKey": False, "IsForceUpdate": True, "ColumnName": "Name"},
        {"ColumnUId": UID, "IsKey": False, "ColumnName": "UsrOwner"},
    ]
    key = {"SchemaColumnUId": "a" * 8 + UID[8:], "Value": "1"}
    tree = _tree() | {
        "Data/Rows/descriptor.json": _json(
            {"Descriptor": {"Name": "Rows", "Schema": {"Name": "UsrGold", "UId": UID}, "Columns": columns}}
        ),
        "Data/Rows/data.json": _json({"PackageData": [{"Row": [key, {"SchemaColumnUId": UID, "Value": "null"}]}]}),
        "Data/Rows/Localization/data.en-US.json": _json(
            {"PackageData": [{"Row": [key, {"SchemaColumnUId": COLUMN, "Value": "Bar"}]}]}
        ),
    }
    (rows,) = read_tree(tree).data
    assert (rows.object, rows.key, rows.forced) == ("UsrGold", ("Id",), ("Name",))
    assert rows.rows == ({"Id": "1", "UsrOwner": None, "Name": "Bar"},)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("nonsense", "UsrGold/metadata.json, line 1: expected '= '"),
        ("= MetaData.Schema.UId", "line 1: '=' needs a value"),
        ("= MetaData.Schema.UId nope", "line 1: the value is not JSON"),
        ('= Other.Schema.UId "x"', "does not start with MetaData.Schema"),
        ('= MetaData.Schema.["x"].A "x"', "cannot read the path"),
        ('= MetaData.Schema.A2!B "x"', "cannot read the path"),
        ('= MetaData.Schema.UId "x" y', "unexpected text after the change"),
        (f'= MetaData.Schema.UId "{COLUMN}"', "is not the descriptor's"),
        (GOLD.replace('"UsrGold"', '"UsrSilver"'), "name 'UsrSilver' is not the descriptor's 'UsrGold'"),
        (GOLD.replace("325a73b8", "325a73b9"), "column UsrRate: unknown data type 325a73b9"),
        (GOLD.replace('"S4"', '"S5"'), "column UsrElsewhere: a lookup without the object"),
        (GOLD.replace('"FB1": 2', '"FB1": 9'), "a default needs FB1"),
        (GOLD.replace('  "A2": "UsrRate",\n', ""), "A2 is missing"),
        ('\n+ MetaData.Schema.D2 "x"', "line 2: a column must be a JSON object"),
    ],
)
def test_broken_metadata_is_placed(metadata: str, words: str) -> None:
    with pytest.raises(PackageError) as caught:
        read_tree(_tree(metadata))
    assert words in str(caught.value)


def test_missing_and_broken_files() -> None:
    with pytest.raises(PackageError, match=r"no descriptor\.json"):
        read_tree({"x": b""})
    with pytest.raises(PackageError, match=r"descriptor.json, line 1: not JSON"):
        read_tree({"descriptor.json": b"{"})
    with pytest.raises(PackageError, match=r"descriptor.json: Descriptor is missing"):
        read_tree({"descriptor.json": b"{}"})
    with pytest.raises(PackageError, match=r"not UTF-8 \(byte 0\)"):
        read_tree({"descriptor.json": b"\xff"})
    resource = "Resources/UsrGold.Entity/resource.en-US.xml"
    with pytest.raises(PackageError, match="entities have no place"):
        read_tree(_tree() | {resource: b'<!DOCTYPE x [<!ENTITY a "b">]><x/>'})
    with pytest.raises(PackageError, match="not XML"):
        read_tree(_tree() | {resource: b"<x>"})


def test_a_zip_gives_all_its_packages() -> None:
    other = _tree() | {"descriptor.json": _json({"Descriptor": {"UId": UID, "Name": "UsrOther"}})}
    data = pack_zip({"UsrPkg": pack(_tree()), "UsrOther": pack(other)})
    assert [contents.name for contents in read_packages(data)] == ["UsrOther", "UsrPkg"]
    with pytest.raises(PackageError, match=r"holds 2 packages \(UsrOther, UsrPkg\)"):
        read_package(data)


def test_diff_round_trip() -> None:
    changes = parse_diff(GOLD, "x")
    assert [change.line for change in changes[:8]] == [1, 2, 3, 4, 5, 6, 7, 14]
    again = parse_diff(render_diff(changes), "x")
    assert [(c.op, c.path, c.value) for c in again] == [(c.op, c.path, c.value) for c in changes]
    assert render_diff([Change("-", ("D2", UID, "E16"))]) == f'- MetaData.Schema.D2.["{UID}"].E16'
