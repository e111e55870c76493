"""weft check: base currencies where rates travel, what people have yet to set up, newest without change times."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.core.cli.conftest import Shop

import weft
from weft.errors import ConfigError
from weft.records import Concern
from weft.testing.memory import MemoryObject, MemorySystem

FIELDS = {"Id": "text", "Number": "text", "Rate": "decimal", "At": "datetime"}
MAP = """
entity: sales_order
object: Orders
key: [Id]
match: [[external_number]]
fields:
  Number: external_number
  Rate: exchange_rate
"""
CONFIG = """\
connections:
  crm: {kind: memcrm}
  erp: {kind: memerp}
flows:
  orders:
    entity: sales_order
    between: [crm, erp]
"""


class Bank(MemorySystem):
    """Tells its base currency, and what is yet to be set up."""

    currencies: dict[str, str] | Exception = {}  # noqa: RUF012 - set by each test
    lacking: tuple[Concern, ...] = ()

    @weft.hookimpl
    async def weft_base_currencies(self) -> dict[str, str]:
        if isinstance(self.currencies, Exception):
            raise self.currencies
        return self.currencies

    @weft.hookimpl
    async def weft_check(self, mappings: Any, actions: Any) -> AsyncIterator[Concern]:
        for concern in self.lacking:
            yield concern


Make = Callable[..., Shop]


@pytest.fixture
def banks(make_shop: Make) -> Make:
    def make(crm: dict[str, str] | Exception, erp: dict[str, str], *, left: str = MAP, more: str = "") -> Shop:
        systems = {}
        for name, found, mapping in (("crm", crm, left), ("erp", erp, MAP)):
            systems[name] = Bank([MemoryObject("Orders", FIELDS)], mapping)
            systems[name].currencies = found
        return make_shop(config=CONFIG + more, **systems)

    return make


def findings(shop: Shop, *, code: int) -> list[tuple[str, str, str]]:
    return [(one["level"], one["message"], one["suggestion"]) for one in shop.json("check", code=code)["findings"]]


def test_different_base_currencies_are_an_error(banks: Make) -> None:
    [(level, message, suggestion)] = findings(banks({"": "USD"}, {"": "EUR"}), code=2)
    assert level == "error"
    assert "that of crm is USD and that of erp is EUR: amounts in base currency would be wrong" in message
    assert suggestion == "take exchange_rate out of the mapping of one side"


def test_a_run_between_different_base_currencies_is_refused(banks: Make) -> None:
    """Not everybody checks first, and what has been written with a wrong rate is in the books."""
    shop = banks({"": "USD"}, {"": "EUR"})
    shop.crm.put("Orders", Number="SO1", Rate=Decimal("1.1"))
    told = shop.run("sync", code=2).output
    assert "that of crm is USD and that of erp is EUR" in " ".join(told.split())
    assert shop.erp.rows("Orders") == {}
    shop.erp.currencies = {"": "USD"}  # type: ignore[attr-defined]
    shop.run("sync")
    assert [row["Rate"] for row in shop.erp.rows("Orders").values()] == [Decimal("1.1")]


def test_the_same_base_currency_is_right(banks: Make) -> None:
    assert findings(banks({"": "USD"}, {"": "USD"}), code=0) == []


@pytest.mark.parametrize(("crm", "words"), [({}, "of crm is not known"), (ConfigError("no right"), "no right")])
def test_a_currency_that_is_not_told_is_a_warning(banks: Make, crm: Any, words: str) -> None:
    [(level, message, _)] = findings(banks(crm, {"": "USD"}), code=0)
    assert level == "warning"
    assert words in message


def test_no_matter_where_no_rate_travels(banks: Make) -> None:
    without = MAP.replace("  Rate: exchange_rate\n", "")
    assert findings(banks({"": "USD"}, {"": "EUR"}, left=without), code=0) == []
    only_read = MAP.replace("Rate: exchange_rate", "Rate: {from: exchange_rate, on: read}")
    shop = banks({"": "USD"}, {"": "EUR"}, left=only_read, more="    direction: right_to_left\n")
    assert findings(shop, code=0) == []


def test_what_is_yet_to_be_set_up(banks: Make) -> None:
    shop = banks({"": "USD"}, {"": "USD"})
    shop.erp.lacking = (Concern("error", "there is no journal WEFT", "make it"),)  # type: ignore[attr-defined]
    assert findings(shop, code=2) == [("error", "there is no journal WEFT", "make it")]
    shop.run("check", "--offline")


def test_newest_needs_change_times(banks: Make) -> None:
    """A side that tells none never wins: the conflict goes to a person."""
    dated = MAP.replace("match:", "changed: At\nmatch:")
    shop = banks({"": "USD"}, {"": "USD"}, left=dated, more="    on_conflict: newest\n")
    [(level, message, _)] = findings(shop, code=0)
    assert level == "warning"
    assert message.startswith("on_conflict: newest: Orders of erp tell no time of change")
    shop.config.write_text(CONFIG + "    fields: {exchange_rate: newest}\n", encoding="utf-8")
    assert findings(shop, code=0)[0][1].startswith("`newest` for exchange_rate: Orders of erp")


@pytest.mark.parametrize(
    ("more", "told", "remedy"),
    [
        ("", "on: webhook, but nothing can be pushed", "give crm or erp a `secret` under `webhooks:`"),
        ("webhooks: {erp: {secret: 0123456789abcdef}}\n", "on: webhook, but weft does not listen",
         "set `server.enabled: true`"),
        ("webhooks: {erp: {secret: 0123456789abcdef}}\nserver: {enabled: true}\n", None, None),
    ],
)  # fmt: skip
def test_pushes_that_cannot_come(banks: Make, more: str, told: str | None, remedy: str | None) -> None:
    shop = banks({}, {}, left=MAP.replace("  Rate: exchange_rate\n", ""), more=f"    on: webhook\n{more}")
    found = [(level, message, hint) for level, message, hint in findings(shop, code=0) if "webhook" in message]
    assert [(level, hint) for level, _, hint in found] == ([] if told is None else [("warning", remedy)])
    assert all(message.startswith(f"{told}: the flow finds changes by its schedule") for _, message, _ in found)
