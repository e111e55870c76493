"""The packaged mappings, held against the metadata of a site."""

from __future__ import annotations

from pathlib import Path

import pytest

from weft.errors import ConfigError
from weft_creatio import connector
from weft_creatio.settings import AuthSettings, CreatioSettings

WON = "60d5310c-5be6-df11-971b-001d60e938c6"


def documents(crm, **settings):
    given = crm.settings.model_copy(update=settings)
    return [
        document for name in crm.catalogue.types for document in connector.weft_mappings(settings=given, entity=name)
    ]


async def test_every_column_of_every_mapping_is_on_a_full_site(crm):
    meta = await crm.session.metadata()
    found = documents(crm, document_rates=True)
    assert {"customer", "contact", "product", "sales_order", "sales_invoice", "payment", "quote"} <= {
        document.entity for document in found
    }
    for document in found:
        compiled = crm.compiled(document)
        plan = crm.session.plans.plan(query(compiled), compiled.entity, meta, "Usr")
        assert plan.missing == (), (document.entity, document.variant)
        for child in plan.children:
            wanted = compiled.line_fields(child.name) if child.lines else compiled.part_fields(child.name)
            assert {name for name in wanted if "/" not in name} <= set(child.type.properties), document.entity
        for label, field in document.fields.items():
            if field.writable and "/" not in label and "." not in label:
                assert label.partition("#")[0] in plan.type.properties, (document.entity, label)
        for watched in document.capture:
            assert watched.object in meta.sets


def query(compiled):
    from weft.records import Query

    return Query("scan", compiled.mapping)


async def test_without_the_package_no_mapping_names_a_column_of_it(open_crm):
    crm = await open_crm(package=False)
    meta = await crm.session.metadata()
    found = documents(crm, package=False)
    assert "payment" not in {document.entity for document in found}
    assert {"customer", "sales_order", "sales_invoice"} <= {document.entity for document in found}
    for document in found:
        compiled = crm.compiled(document)
        plan = crm.session.plans.plan(query(compiled), compiled.entity, meta, "Usr")
        assert plan.missing == (), (document.entity, document.variant)


async def test_another_prefix_names_other_columns(crm):
    found = {(d.entity, d.variant): d for d in documents(crm, prefix="Acme")}
    assert found["payment", "default"].object.read == "AcmePayment"
    assert "AcmeTaxId" in found["customer", "account"].fields
    assert not any("Usr" in label for d in found.values() for label in d.fields)


@pytest.mark.parametrize(
    ("entity", "variant", "native", "canonical"),
    [
        ("customer", "account", {"Address": "1 Main Street\nFloor 2"},
         {"address.street": "1 Main Street", "address.street2": "Floor 2"}),
        ("customer", "account", {"Address": "1 Main Street"},
         {"address.street": "1 Main Street", "address.street2": None}),
        ("product", "default", {"Type": {"IsService": True, "Name": "Service"}}, {"type": "service"}),
        ("product", "default", {"Type": {"IsService": False, "Name": "Goods"}}, {"type": "inventory"}),
        ("product", "default", {"Type": None}, {"type": None}),
    ],
)  # fmt: skip
async def test_what_is_read_from_a_column(crm, entity, variant, native, canonical):
    from weft.records import Record

    mapping = crm.mapping(entity, variant)
    record = Record(mapping.mapping.object.read, "k", {"Name": "x", **native}, children={})
    fields = mapping.read([record], await crm.tables())[0].canonical.fields
    assert {name: fields[name] for name in canonical} == canonical


async def test_only_won_opportunities_are_orders(open_crm):
    crm = await open_crm(records=40)
    mapping = crm.mapping("sales_order", "opportunity")
    found = await crm.read("scan", mapping)
    mapped = mapping.read(found.records, await crm.tables(mapping))
    won = {row["Id"] for row in crm.sim.site.db.rows("Opportunity", "StageId=?", (WON,))}
    assert {r.key for r, m in zip(found.records, mapped, strict=True) if m.canonical is not None} == won
    assert won
    assert all(not m.problems for m in mapped)


@pytest.mark.parametrize("entity", ["customer", "contact", "product", "sales_order", "sales_invoice", "opportunity"])
async def test_sample_records_map_without_problems(open_crm, entity):
    crm = await open_crm(records=30)
    for mapping in crm.mappings(entity).values():
        found = await crm.read("scan", mapping)
        mapped = mapping.read(found.records, await crm.tables(mapping))
        assert found.records or mapping.mapping.optional
        assert [problem for one in mapped for problem in one.problems] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "acme.creatio.com"},
        {"url": "https://acme.creatio.com/0"},
        {"prefix": "usr"},
        {"identity": "Supervisor"},
        {"auth": {"username": "a"}},
        {"auth": {"username": "a", "password": "b", "client_id": "c", "client_secret": "d"}},
        {"batch_size": 101},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(wrong):
    right = {"url": "https://acme.creatio.com", "auth": {"username": "a", "password": "b"}}
    CreatioSettings.model_validate(right)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CreatioSettings.model_validate({**right, **wrong})


def test_addresses_follow_from_url_and_runtime():
    auth = {"client_id": "a", "client_secret": "b", "identity_url": "https://acme-is.creatio.com/"}
    framework = CreatioSettings(url="https://acme.creatio.com/", auth=auth)
    assert framework.root == "https://acme.creatio.com/0/odata"
    assert framework.token_url == "https://acme-is.creatio.com/connect/token"
    core = CreatioSettings(url="https://acme.creatio.com", auth=auth, runtime="core")
    assert core.root == "https://acme.creatio.com/odata"


async def test_a_mapping_whose_capture_names_no_column_is_explained(crm):
    document = crm.mapping("sales_order", "order").mapping
    broken = document.model_copy(update={"capture": [document.capture[0].model_copy(update={"key": "Nothing"})]})
    with pytest.raises(ConfigError, match="OrderProduct has no column 'Nothing'"):
        await crm.read("changes", crm.compiled(broken))


def test_every_setting_is_documented():
    readme = (Path(__file__).parents[3] / "plugins/creatio/README.md").read_text(encoding="utf-8")
    for name in {*CreatioSettings.model_fields} - {"auth"}:
        assert f"`{name}`" in readme, name
    for name in AuthSettings.model_fields:
        assert f"`auth.{name}`" in readme, name
