"""docs/objects.md says what the packaged mappings say. `python -m tests.system.objects.test_objects_page` prints
the tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from tests.system.objects.test_objects_variants import FLOWS

from weft.cli.capabilities import packaged
from weft.model.catalogue import Catalogue
from weft.plugins import Plugins

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "objects.md"
NOBODY = "1 = 2"
"""What a mapping's `accepts` says where records are never created from the other side."""
ERPS = {"d365fo": "Finance & Operations", "bc": "Business Central"}
TABLE = {
    "customer": "CustomerV3, Customer",
    "contact": "ContactPersonV2",
    "project": "Projects",
    "quote": "estimates (quotations)",
    "sales_order": "SalesOrderHeaderV2",
    "sales_invoice": "CustInvoiceJournal",
    "sales_receipt": "sales receipts",
    "product": "ReleasedProductV2, Item",
    "price": "multi-currency prices, price lists",
    "payment": "CustPaymJourLine, customer receipts",
    "credit_memo": "CustFreeInvoice",
    "statement_charge": "statement charges",
    "vendor": "VendorV2",
    "purchase_order": "PurchaseOrderHeaderV2",
    "bill": "bills",
    "vendor_credit": "vendor credits",
    "bill_payment": "VendPaymJourLine",
    "deposit": "deposits",
    "check": "checks",
    "card_charge": "card charges",
    "gl_account": "MainAccount",
    "journal_entry": "LedgerJournalTable",
    "exchange_rate": "exchange rates",
}
"""Entities in the order of the page, and the names under which people look for them."""


def plugins() -> Plugins:
    return Plugins.discover()


def documents(found: Plugins, kind: str) -> dict[str, list[Any]]:
    by_entity: dict[str, list[Any]] = {}
    for one in packaged(found, kind) or ():
        by_entity.setdefault(one.entity, []).append(one)
    return by_entity


def statements(found: Plugins, kind: str, entity: str) -> list[Any]:
    settings = found.connector(kind).settings.model_construct()
    said: list[Any] = found.call(kind, "weft_impossible", kind=kind, settings=settings, entity=entity)
    return said


def proven_entities(kind: str) -> set[str]:
    """Entities that a test beside this one brings from Creatio to an ERP of this kind, or back."""
    table = (HERE / "test_objects_table.py").read_text(encoding="utf-8")
    kinds = re.search(r"^ERPS = (\[.*\])$", (HERE / "pairs.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert kinds is not None
    names: set[str] = set()
    if f'"{kind}"' in kinds[1]:
        names |= set(
            re.findall(r'(?:sent|arrived|document|entry|seen|master|posted_invoice)\((?:pair, )?"(\w+)"', table)
        )
        names |= set(re.findall(r'^    \("(\w+)", "', table, re.MULTILINE)) | set(
            re.findall(r'^(?:BANK = \[| {8})\("(\w+)", "', table, re.MULTILINE)
        )
    names |= {str(flow["entity"]) for flow in FLOWS.values()}
    for path in HERE.glob("test_objects_*.py"):
        text = path.read_text(encoding="utf-8")
        kinds = re.search(r"^KINDS = (\[.*\])$", text, re.MULTILINE)
        if path != HERE / "test_objects_table.py" and (kind == "bc" or (kinds is not None and f'"{kind}"' in kinds[1])):
            names |= set(re.findall(r'"entity": "(\w+)"', text)) | set(re.findall(r' flow\("(\w+)", "', text))
    return names


def walked(kind: str) -> set[tuple[str, str]]:
    """(entity, variant in Creatio) that a test runs a flow of, with each ERP alike: the edition's, and those beside."""
    from weft.cli.init import pack

    edition = yaml.safe_load(pack(plugins(), {"crm": "creatio", "erp": kind}, "professional"))["flows"]
    return {
        (flow["entity"], variant)
        for flow in (*edition.values(), *FLOWS.values())
        for variant in flow.get("variants", {}).get("crm", ["default"])
    }


def cell(entity: str, left: list[Any], right: list[Any], said: list[Any], proven: set[str]) -> str:
    whole = [one for one in said if one.impossible == "keep"]
    if whole or not right:
        return f"not possible: {whole[0].reason}" if whole else "not mapped"
    to_left = any(not one.read_only and one.accepts != NOBODY for one in left)
    to_right = any(not one.read_only for one in right)
    arrow = {(True, True): "⇄", (True, False): "←", (False, True): "→", (False, False): "="}[to_left, to_right]
    lines = "".join(f" + `{line.object}`" for line in right[0].lines.values())
    reasons = "".join(
        f"; {'not written' if one.impossible == 'write' else 'not read'}"
        f"{f' ({one.variant})' if one.variant else ''}: {one.reason}"
        for one in said
    )
    status = "end to end" if entity in proven else "mapped"
    return f"{arrow} {_objects(right)}{lines}; {status}{reasons}"


def _objects(documents: Iterable[Any]) -> str:
    return ", ".join(
        dict.fromkeys(
            f"`{one.object.read}`" + (f" ({one.variant})" if one.variant != "default" else "") for one in documents
        )
    )


def table() -> str:
    found = plugins()
    left = documents(found, "creatio")
    right = {kind: documents(found, kind) for kind in ERPS}
    proven = {kind: proven_entities(kind) for kind in ERPS}
    out = [f"| Also known as | Entity | Creatio | {' | '.join(ERPS.values())} |", "|" + "---|" * (3 + len(ERPS))]
    for entity, known in TABLE.items():
        mine = left.get(entity, [])
        cells = [
            cell(entity, mine, right[kind].get(entity, []), statements(found, kind, entity), proven[kind])
            for kind in ERPS
        ]
        out.append(f"| {known} | `{entity}` | {_objects(mine) or 'none'} | {' | '.join(cells)} |")
    return "\n".join(out) + "\n"


def reference_table() -> str:
    """What is looked up by its code while other records travel."""
    found = plugins()
    left = documents(found, "creatio")
    right = {kind: documents(found, kind) for kind in ERPS}
    out = [f"| Entity | Creatio | {' | '.join(ERPS.values())} |", "|" + "---|" * (2 + len(ERPS))]
    for entity in Catalogue.of(found, SimpleNamespace(entities={})):
        if entity.kind != "reference" or entity.name in TABLE or entity.name not in left:
            continue
        cells = [_objects(right[kind].get(entity.name, [])) or "the code itself" for kind in ERPS]
        out.append(f"| `{entity.name}` | {_objects(left[entity.name])} | {' | '.join(cells)} |")
    return "\n".join(out) + "\n"


@pytest.mark.parametrize("part", [table, reference_table])
def test_page_has_the_tables_of_the_mappings(part: Any) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert part() in text, f"docs/objects.md is not what the mappings say; it should hold:\n{part()}"


def test_every_object_of_the_table_is_proven_with_business_central() -> None:
    found = plugins()
    refused = {name for name in TABLE for one in statements(found, "bc", name) if one.impossible == "keep"}
    assert refused == {"price"}
    assert proven_entities("bc") >= set(TABLE) - refused


@pytest.mark.parametrize("kind", ERPS)
def test_every_variant_of_the_table_is_walked(kind: str) -> None:
    here = documents(plugins(), "creatio")
    alone = {name for name, many in here.items() if len(many) == 1}
    told = {(name, one.variant) for name in TABLE for one in here[name] if name not in alone}
    assert told - walked(kind) == set()


def test_collections_of_the_table_exist(weft_package: Any) -> None:
    """Each is an entity set of the real schema, as the simulators serve it."""
    from weft_bc.simulator import BusinessCentralSimulator
    from weft_creatio.simulator import CreatioSimulator

    found = plugins()
    crm = CreatioSimulator.create(records=0)
    crm.installer.apply(weft_package)
    erp = BusinessCentralSimulator.create(records=0, documents=0)
    sets = next(iter(erp.env.companies.values())).schema.sets
    for many in documents(found, "creatio").values():
        assert all(one.object.read in crm.site.model.entities for one in many)
    for many in documents(found, "bc").values():
        for one in many:
            assert one.object.read in sets
            assert all(line.object in sets for line in one.lines.values())


if __name__ == "__main__":
    print(table())
    print(reference_table(), end="")
