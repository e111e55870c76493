"""weft check against the systems themselves: base currencies, journals that people have to make."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

USA, UK = "CRONUS USA, Inc.", "CRONUS UK Ltd."
ORDERS = {"entity": "sales_order", "between": ["crm", "erp"], "variants": {"crm": ["order"]}, "owner": "crm"}


def checked(world: Any, *, code: int, **changes: Any) -> list[dict[str, Any]]:
    from weft.cli.context import App
    from weft.cli.root import cli

    path = world.folder / "checked.yaml"
    path.write_text(yaml.safe_dump({**world.config, **changes}, sort_keys=False), encoding="utf-8")
    app = App()
    try:
        result = CliRunner().invoke(cli, ["-c", str(path), "check", "--json"], obj=app)
    finally:
        app.close()
    found: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    assert result.exit_code == code, found
    return [one for one in found if one["area"] == "flow" and "refers to" not in one["message"]]


def test_rates_travel_only_between_companies_of_one_base_currency(make_world: Any) -> None:
    crm = {"document_rates": True}
    world = make_world({"orders": ORDERS}, kind="d365fo", connections={"crm": crm}, erp={"companies": ["usmf", "demf"]})
    assert checked(world, code=0) == []
    world.config["connections"]["erp"] |= {"company": "demf"}
    [found] = checked(world, code=2)
    assert "that of crm is USD and that of erp/Contoso Entertainment System Germany is EUR" in found["message"]
    assert found["suggestion"].startswith("set `document_rates: false` under connections.crm")
    world.config["connections"]["crm"] |= {"base_currency": "EUR"}
    assert checked(world, code=0) == []
    world.config["connections"]["crm"] |= {"base_currency": None, "document_rates": False}
    assert checked(world, code=0) == []


def test_a_site_that_hides_its_settings_is_a_warning(make_world: Any) -> None:
    world = make_world({"orders": ORDERS}, kind="d365fo", connections={"crm": {"document_rates": True}})
    world.served.call(lambda: world.crm.site.db.execute("DELETE FROM SysSettingsValue"))
    [found] = checked(world, code=0)
    assert (found["level"], "the base currency of crm is not known" in found["message"]) == ("warning", True)


def test_business_central_knows_its_own_currency(make_world: Any) -> None:
    """Its documents hold no rate, so nothing is compared; its currency is known all the same."""
    crm = {"document_rates": True}
    world = make_world({"orders": ORDERS}, companies=(USA, UK), connections={"crm": crm})
    assert checked(world, code=0) == []

    async def told() -> Any:
        session = await world.runtime.session("erp")
        return await world.runtime.plugins.call("bc", "weft_base_currencies", ctx=None, session=session)

    assert sorted(world.served.run(told).values()) == ["GBP", "USD"]


@pytest.fixture(scope="module")
def journals(make_world: Any) -> Any:
    pair = {"between": ["crm", "erp"], "owner": "erp"}
    return make_world({
        "deposits": {"entity": "deposit", **pair},
        "bill_payments": {"entity": "bill_payment", **pair},
        "receipts": {"entity": "sales_receipt", **pair, "after": {"erp": ["post", "receive"]}},
    })  # fmt: skip


def test_journals_that_nobody_has_made(journals: Any) -> None:
    found = checked(journals, code=2)
    assert [one["message"] for one in found] == [
        "there is no journal 'WEFTDEP' among journals",
        "there is no journal 'WEFT' among vendorPaymentJournals",
        "there is no journal 'WEFTSR' among customerPaymentJournals",
    ]
    assert found[0]["suggestion"].startswith("make a general journal WEFTDEP")
    journals.bc("create", set="journals", values={"code": "WEFTDEP", "displayName": "Deposits"})
    bank = journals.bc_id("bankAccounts", number="CHECKING")
    values = {"code": "WEFT", "displayName": "Payments", "balancingAccountId": bank}
    journals.bc("create", set="vendorPaymentJournals", values=values)
    assert [one["about"] for one in checked(journals, code=2)] == ["receipts: erp"]
