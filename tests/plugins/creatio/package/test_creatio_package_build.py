from __future__ import annotations

import json
import re
import uuid
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace

import pytest

from weft_creatio.package import stock
from weft_creatio.package.build import BuildOptions, build_archive, build_tree, missing_dependencies
from weft_creatio.package.errors import PackageError
from weft_creatio.package.install import Column, PackageContents, read_package
from weft_creatio.package.metadata import parse_diff
from weft_creatio.package.model import PackageModel
from weft_creatio.package.names import Names, fixed_uid


def _read(model: PackageModel, options: BuildOptions | None = None) -> PackageContents:
    return read_package(build_archive(model, options))


def test_same_input_same_bytes(model: PackageModel) -> None:
    assert build_archive(model) == build_archive(model, BuildOptions())
    assert build_archive(model) != build_archive(model, BuildOptions(version="1.0.1"))


@pytest.mark.parametrize("prefix", ["Usr", "Adm", ""])
def test_reader_gives_back_what_was_declared(model: PackageModel, prefix: str) -> None:
    names = Names(prefix)
    contents = _read(model, BuildOptions(prefix=prefix, version="2.3.4", maintainer="Adatum"))
    assert (contents.name, contents.version, contents.maintainer) == (f"{prefix}WeftErp", "2.3.4", "Adatum")
    assert contents.depends_on == ("CrtCore", "CrtCoreBase")
    assert {found.name for found in contents.objects} == {names.object(spec.name) for spec in model.objects}
    for spec in model.objects:
        found = contents.object(names.object(spec.name))
        assert (found.extends, found.parent, found.caption) == (spec.extends, spec.parent, spec.caption)
        assert found.parent_uid == stock.SCHEMAS[spec.parent]
        assert [
            (column.name, column.type, column.ref, column.required, column.caption, column.default)
            for column in found.columns
        ] == [
            (
                names.column(column.name),
                column.type,
                names.object(column.ref) if column.ref else None,
                column.required,
                column.caption,
                column.default,
            )
            for column in spec.columns
        ]
        if spec.display and not spec.is_lookup:
            assert found.display == names.column(spec.display)
    assert contents.listeners == tuple(sorted(names.object(spec.name) for spec in model.tracked))
    assert {names.object(spec.name) for spec in model.tracked if spec.line_of} == set(contents.listener_parents)


def test_seeded_rows_have_the_ids_the_mappings_ask_for(model: PackageModel) -> None:
    contents = _read(model)
    names = Names()
    bindings = {binding.object: binding for binding in contents.data if binding.object != "Lookup"}
    for spec in model.objects:
        if not spec.rows:
            assert names.object(spec.name) not in bindings
            continue
        binding = bindings[names.object(spec.name)]
        assert binding.key == ("Id",)
        assert binding.forced == ()
        assert {(row["Id"], row["Name"], row["Description"]) for row in binding.rows} == {
            (names.row(spec.name, row.name), row.title, row.description) for row in spec.rows
        }
    method = {row["Name"]: row for row in bindings["UsrPaymentMethod"].rows}
    assert method["Bank transfer"]["UsrCode"] == "BankTransfer"
    section = [binding.rows[0] for binding in contents.data if binding.object == "Lookup"]
    lookups = {spec.caption: names.object(spec.name) for spec in model.objects if spec.is_lookup}
    assert {row["Name"] for row in section} == set(lookups)
    for row in section:
        assert row["SysEntitySchemaUId"] == contents.object(lookups[str(row["Name"])]).uid
        assert row["SysPageSchemaUId"] is None


def test_prefix_changes_names_and_ids_but_not_lookup_rows(model: PackageModel) -> None:
    usr, adm = _read(model), _read(model, BuildOptions(prefix="Adm"))
    assert usr.object("UsrPayment").uid != adm.object("AdmPayment").uid
    assert usr.uid != adm.uid
    assert not any("Usr" in path for path in build_tree(model, BuildOptions(prefix="Adm")))
    ids = [{row["Id"] for b in c.data if b.object != "Lookup" for row in b.rows} for c in (usr, adm)]
    assert ids[0] == ids[1]


def test_objects_the_brief_of_the_product_asks_for(model: PackageModel) -> None:
    contents = _read(model)
    payment = {column.odata_name: column for column in contents.object("UsrPayment").columns}
    assert payment["UsrAmount"] == Column(
        "UsrAmount", "Money", caption="Amount", uid=fixed_uid("column", "UsrPayment", "UsrAmount")
    )
    assert payment["UsrInvoiceId"].ref == "Invoice"
    assert payment["UsrAccountId"].ref_uid == stock.SCHEMAS["Account"]
    account = {column.odata_name: column for column in contents.object("Account").columns}
    assert account["UsrPaymentTermsId"].ref == "UsrPaymentTerms"
    assert account["UsrErpNumber"].max_length == 250
    assert contents.listener_parents["InvoiceProduct"] == "Invoice"
    assert contents.listener_parents["UsrBillProduct"] == "UsrBill"


def test_ids_are_valid_lower_case_and_unique(model: PackageModel) -> None:
    contents = _read(model)
    ids = [contents.uid]
    for found in contents.objects:
        ids += [found.uid, *(column.uid for column in found.columns)]
    ids += [str(row["Id"]) for binding in contents.data for row in binding.rows]
    for value in ids:
        assert str(uuid.UUID(value)) == value
    assert [value for value, count in Counter(ids).items() if count > 1] == []
    assert not set(ids) & set(stock.SCHEMAS.values())


def test_every_lookup_resolves_and_every_name_and_text_fits(model: PackageModel) -> None:
    for found in _read(model, BuildOptions(prefix="Adatumcorp")).objects:
        assert len(found.name) <= 128
        for column in found.columns:
            assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,127}", column.name)
            assert 0 < len(column.caption) <= 250
            if column.type == "Lookup":
                assert column.ref is not None, (found.name, column.name)
    limits = {"Name": 250, "Description": 250, "UsrCode": 50}
    for binding in _read(model).data:
        for row in binding.rows:
            for name, limit in limits.items():
                assert len(row.get(name) or "") <= limit


def test_files_are_written_as_creatio_writes_them(model: PackageModel) -> None:
    tree = build_tree(model)
    for path, data in tree.items():
        assert "\\" not in path
        if path.endswith("filter.json"):
            assert data == b""
            continue
        assert data.startswith(b"\xef\xbb\xbf"), path
        text = data.decode("utf-8-sig")
        assert "\r" not in text
        if path.endswith(".xml"):
            ElementTree.fromstring(text)  # noqa: S314
        elif path.endswith(".json") and not (path.endswith("metadata.json") and text.startswith("=")):
            json.loads(text)
            assert not re.search(r"(?<!\\)/Date\(", text), path
    assert '"ModifiedOnUtc": "\\/Date(1795824000000)\\/"' in tree["descriptor.json"].decode("utf-8-sig")


def test_metadata_of_an_own_object_line_by_line(model: PackageModel) -> None:
    text = build_tree(model)["Schemas/UsrInventoryLevel/metadata.json"].decode("utf-8-sig")
    changes = parse_diff(text, "x")
    members = {change.path: change.value for change in changes if change.op in "=+"}
    uid = fixed_uid("schema", "UsrInventoryLevel")
    assert changes[0].path == ("UId",)
    assert members[("UId",)] == members[("D36", "A3")] == uid
    assert members[("A2",)] == "UsrInventoryLevel"
    assert members[("D8",)] == "1bab9dcf-17d5-49f8-9536-8e0064f1dce0"
    assert members[("D20", "A2")] == "UsrInventoryLevelEvents"
    assert members[("B7",)] is False
    order = next(change.value for change in changes if change.op == "~")
    columns = [change.value for change in changes if change.path == ("D2",) and change.op == "+"]
    assert order == [*stock.BASE_COLUMNS.values(), *(column["UId"] for column in columns)]
    product = next(column for column in columns if column["A2"] == "UsrProduct")
    assert list(product) == ["UId", "A2", "A3", "A4", "A5", "S2", "S4", "E2", "E6", "E17", "E18"]
    assert (product["S4"], product["E17"], product["E18"]) == (
        "4c7a6ead-4eb8-4fc0-863e-98a664569fed",
        "UsrProductId",
        "UsrProductName",
    )
    assert [".".join(change.path) for change in changes if change.op == "-"] == [
        *("EG1.B6", "EG1.BK29", "EG1.BK30", "D1", "D20.A5", "D20.FA4", "D20.FA5"),
        *("D20.FA6", "D20.FA7", "D20.FA11", "D20.FA12", "D20.FA15"),
    ]


def test_replacing_schema_keeps_its_hands_off_the_stock_columns(model: PackageModel) -> None:
    tree = build_tree(model)
    descriptor = json.loads(tree["Schemas/Account/descriptor.json"].decode("utf-8-sig"))["Descriptor"]
    assert descriptor["ExtendParent"] is True
    assert descriptor["Parent"] == {"UId": stock.SCHEMAS["Account"], "Name": "Account"}
    assert descriptor["UId"] != stock.SCHEMAS["Account"]
    changes = parse_diff(tree["Schemas/Account/metadata.json"].decode("utf-8-sig"), "x")
    assert {change.op for change in changes} == {"=", "+"}
    assert ("A2",) not in {change.path for change in changes}
    assert next(change.value for change in changes if change.path == ("B7",)) is True


def test_lookups_with_defaults_name_the_system_value(model: PackageModel) -> None:
    text = build_tree(model)["Schemas/UsrPayment/metadata.json"].decode("utf-8-sig")
    columns = {c.value["A2"]: c.value for c in parse_diff(text, "x") if c.path == ("D2",) and c.op == "+"}
    assert columns["UsrOwner"]["E12"] == {"FB1": 3, "FB2": "4f367ca9-549b-4a1a-b64e-a40123f52ac0"}
    assert columns["UsrCurrencyRate"]["E12"] == {"FB1": 1, "FB2": "1"}
    assert columns["UsrStatus"]["E20"] is True
    assert "E20" not in columns["UsrAccount"]


def test_listener_hears_exactly_the_tracked_objects(model: PackageModel) -> None:
    code = build_tree(model)["Schemas/UsrWeftOutboxListener/UsrWeftOutboxListener.cs"].decode("utf-8-sig")
    for name in ("Account", "Order", "OrderProduct", "Invoice", "InvoiceProduct", "UsrPayment"):
        assert f'[EntityEventListener(SchemaName = "{name}")]' in code
    assert '"UsrWeftOutbox")]' not in code, "the outbox must not hear itself"
    assert "@" not in code
    assert code.count("{") == code.count("}")
    columns = {column.name for column in _read(model).object("UsrWeftOutbox").columns}
    assert set(re.findall(r'SetColumnValue\("(\w+)"', code)) <= columns


def test_dependencies_of_the_site_go_into_the_descriptor(model: PackageModel) -> None:
    assert "CrtInvoice" in missing_dependencies(model, BuildOptions())
    depends = {name: (fixed_uid("test", name), "8.1.0") for name in model.requires if name != "CrtCoreBase"}
    options = BuildOptions(depends=depends)
    assert missing_dependencies(model, options) == ()
    tree = build_tree(model, options)
    entries = json.loads(tree["descriptor.json"].decode("utf-8-sig"))["Descriptor"]["DependsOn"]
    assert {entry["Name"] for entry in entries} == {"CrtCore", *model.requires}
    assert {"UId": depends["CrtInvoice"][0], "PackageVersion": "8.1.0", "Name": "CrtInvoice"} in entries


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (BuildOptions(prefix="usr"), "prefix 'usr'"),
        (BuildOptions(prefix="Ус"), "Latin letters"),
        (BuildOptions(version="one"), "version 'one'"),
        (BuildOptions(maintainer=" "), "maintainer is empty"),
        (BuildOptions(prefix="A" * 120), "at most 128"),
    ],
)
def test_options_that_creatio_would_refuse(model: PackageModel, options: BuildOptions, words: str) -> None:
    with pytest.raises(PackageError, match=words):
        build_tree(model, options)


def test_names_for_the_mappings() -> None:
    names = Names("Adm")
    assert names.object("Payment") == "AdmPayment"
    assert names.object("Account") == "Account"
    assert names.column("Amount") == "AdmAmount"
    assert names.lookup("Account") == "AdmAccountId"
    assert names.expand("{prefix}Payment({prefix}Amount) {other}") == "AdmPayment(AdmAmount) {other}"


def test_ids_never_change(model: PackageModel) -> None:
    """Upgrades keep tables and rows only while these stay; a failure here means data would be lost."""
    assert _read(model).object("UsrPayment").uid == "549a7283-5b83-57c7-a3c0-a61f1c16a2e9"
    assert Names().row("PaymentStatus", "Posted") == "83c0e8a4-d115-58d2-b0a0-f603573266d9"
    assert _read(replace(model, version="9.0.0")).uid == "19c6c910-58ba-54d5-9c9e-14febd35e7dc"
