"""What a connector says cannot be done is refused by check and by a run, with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.core.cli.conftest import ERP_MAP, FIELDS, Shop

import weft
from weft.mapping.impossible import Impossible
from weft.mapping.loading import MappingError, impossible
from weft.testing.memory import MemoryObject, MemorySystem


class Honest(MemorySystem):
    """Says of itself what it cannot do."""

    statements: tuple[Impossible, ...] = ()

    @weft.hookimpl
    def weft_impossible(self, entity: str) -> list[Impossible]:
        return [one for one in self.statements if one.entity == entity]


@pytest.fixture
def honest(make_shop: Callable[..., Shop]) -> Callable[..., Shop]:
    def make(*statements: Impossible) -> Shop:
        erp = Honest([MemoryObject("Customers", FIELDS, assigns={"Number": "C{:05d}".format})], ERP_MAP)
        erp.statements = statements
        return make_shop(erp=erp)

    return make


def told(shop: Shop, *more: str) -> str:
    found: list[dict[str, Any]] = shop.json("check", *more, code=2)["findings"]
    return " | ".join(one["message"] for one in found)


@pytest.mark.parametrize("offline", [(), ("--offline",)])
def test_wholly_impossible(honest: Callable[..., Shop], offline: tuple[str, ...]) -> None:
    shop = honest(Impossible(entity="customer", reason="it knows no customers"))
    assert "memerp cannot keep customer: it knows no customers; leave the flow out" in told(shop, *offline)
    refused = shop.run("sync", code=2)
    assert "it knows no customers" in refused.output + refused.stderr


def test_one_direction_is_named_and_the_other_goes(honest: Callable[..., Shop]) -> None:
    shop = honest(Impossible(entity="customer", impossible="write", reason="its list is read-only"))
    words = "customer cannot be written to memerp: its list is read-only; use `direction: right_to_left`"
    assert words in told(shop)
    shop.add("    direction: right_to_left\n")
    shop.run("check")
    shop.run("sync")


def test_reading_is_refused_where_the_flow_would_begin_there(honest: Callable[..., Shop]) -> None:
    shop = honest(Impossible(entity="customer", impossible="read", reason="they become something else"))
    assert "they become something else; use `direction: left_to_right`" in told(shop)
    shop.add("    direction: left_to_right\n")
    shop.run("check")


def test_a_statement_about_another_variant_says_nothing(honest: Callable[..., Shop]) -> None:
    shop = honest(Impossible(entity="customer", variant="person", reason="no persons"))
    shop.run("check")


def test_a_mapping_of_ones_own_lifts_it(honest: Callable[..., Shop]) -> None:
    shop = honest(Impossible(entity="customer", reason="it knows no customers"))
    shop.add(
        "    variants: {erp: [mine]}\nmappings:\n  erp:\n    customer:\n      mine: {object: Customers, key: [Id], "
        "match: [[name]], fields: {Name: name, Phone: phone}}\n"
    )
    shop.run("check", "--offline")


def test_a_document_that_is_wrong_names_its_place(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "weft_teapot" / "maps"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "no.yaml").write_text("entity: lead\nimpossible: never\nreason: so\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        MappingError, match=r"weft_teapot/maps/no\.yaml:2:13: impossible: .never. is not one of keep, write, read"
    ):
        impossible("weft_teapot", "lead")
    assert impossible("weft_teapot", "customer") == []
