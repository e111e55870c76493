"""docs/objects.md says what the packaged mappings say. `python tests/system/objects/test_objects_page.py` prints
the table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from weft.mapping.loading import packaged
from weft_creatio.mappings import placeholders
from weft_creatio.package.names import Names

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "objects.md"
BC_PLACES = {"payment_journal": "WEFT", "payment_sign": "-1"}
NOBODY = "1 = 2"
"""What a mapping's `accepts` says where records are never created from the other side."""


def documents() -> dict[str, tuple[list[Any], list[Any]]]:
    """entity -> Creatio's documents, Business Central's; of the entities that both have."""
    left, right = packaged("weft_creatio", None, placeholders(Names("Usr"))), packaged("weft_bc", None, BC_PLACES)
    mine, theirs = ({one.entity for one in side} for side in (left, right))
    names = [name for name in dict.fromkeys(one.entity for one in left) if name in mine & theirs]
    return {
        name: ([one for one in left if one.entity == name], [one for one in right if one.entity == name])
        for name in names
    }


def proven_entities() -> set[str]:
    """Entities that a flow of the tests beside this one keeps in agreement."""
    text = "".join(
        path.read_text(encoding="utf-8") for path in HERE.glob("test_objects_*.py") if path != Path(__file__)
    )
    return set(re.findall(r'"entity": "(\w+)"', text)) | set(re.findall(r' flow\("(\w+)", "', text))


def row(entity: str, left: list[Any], right: list[Any], proven: set[str], looked_up: set[str]) -> str:
    to_left = any(not one.read_only and one.accepts != NOBODY for one in left if not one.optional)
    to_right = any(not one.read_only for one in right if not one.optional)
    arrow = {(True, True): "⇄", (True, False): "←", (False, True): "→", (False, False): "="}[to_left, to_right]
    lines = "".join(f" + `{line.object}`" for line in right[0].lines.values())
    back = ", ".join(dict.fromkeys(name for one in right for name in one.returns))
    actions = ", ".join(dict.fromkeys(name for one in right for name in one.actions))
    status = "end to end" if entity in proven else "looked up" if entity in looked_up else "mapped"
    return f"| `{entity}` | {_objects(left)} | {arrow} | {_objects(right)}{lines} | {back} | {actions} | {status} |"


def _objects(documents: Iterable[Any]) -> str:
    return ", ".join(
        f"`{one.object.read}`" + (f" ({one.variant})" if one.variant != "default" else "") for one in documents
    )


def _references(document: Any) -> Iterable[str]:
    fields = [*document.fields.values(), *(f for line in document.lines.values() for f in line.fields.values())]
    return (field.ref for field in fields if field.ref)


def table() -> str:
    proven = proven_entities()
    head = "| Entity | Creatio | | Business Central | comes back | actions | status |\n|---|---|---|---|---|---|---|\n"
    pairs = documents()
    looked_up = {name for left, right in pairs.values() for one in (*left, *right) for name in _references(one)}
    return head + "\n".join(row(name, *found, proven, looked_up) for name, found in pairs.items()) + "\n"


def test_page_has_the_table_of_the_mappings() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert table() in text, f"docs/objects.md is not what the mappings say; it should hold:\n{table()}"


def test_every_object_of_the_brief_is_proven() -> None:
    assert {
        "customer", "contact", "product", "sales_order", "quote", "sales_invoice", "payment", "exchange_rate",
    } <= proven_entities()  # fmt: skip


def test_collections_of_the_table_exist(weft_package: Any) -> None:
    """Each is an entity set of the real schema, as the simulators serve it."""
    from weft_bc.simulator import BusinessCentralSimulator
    from weft_creatio.simulator import CreatioSimulator

    crm = CreatioSimulator.create(records=0)
    crm.installer.apply(weft_package)
    erp = BusinessCentralSimulator.create(records=0, documents=0)
    sets = next(iter(erp.env.companies.values())).schema.sets
    for left, right in documents().values():
        for one in left:
            assert one.object.read in crm.site.model.entities
        for one in right:
            assert one.object.read in sets
            assert all(line.object in sets for line in one.lines.values())


if __name__ == "__main__":
    print(table(), end="")
