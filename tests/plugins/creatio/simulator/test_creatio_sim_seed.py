"""The sample data is sound, the same for the same seed, and the simulator runs in a process of its own."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import httpx
import pytest

from weft.testing.simulator import SimClock, serve_in_process
from weft_creatio.simulator import CreatioSettings, CreatioSimulator


@pytest.fixture(scope="module")
def sim():
    return CreatioSimulator.create(200, 7, clock=SimClock(datetime(2026, 1, 1, tzinfo=UTC), manual=True))


def test_every_lookup_of_the_sample_data_resolves(sim):
    db, model = sim.site.db, sim.site.model
    for entity in model.entities.values():
        for column in entity.lookups:
            if column.ref in model.entities:
                lost = db.value(
                    f'SELECT count(*) FROM "{entity.name}" t WHERE "{column.name}" IS NOT NULL AND NOT EXISTS '
                    f'(SELECT 1 FROM "{column.ref}" p WHERE p.Id=t."{column.name}")'
                )
                assert lost == 0, f"{entity.name}.{column.name}"


def test_required_columns_are_filled_and_text_fits(sim):
    for name in ("Account", "Contact", "Order", "Invoice", "Product", "Contract", "SupplyPaymentElement", "Activity"):
        for column in sim.site.model.entity(name).columns.values():
            if column.required:
                empty = sim.site.db.value(f"SELECT count(*) FROM \"{name}\" WHERE coalesce(\"{column.name}\",'')=''")
                assert empty == 0, f"{name}.{column.name}"
            if column.max_length:
                longest = sim.site.db.value(f'SELECT max(length("{column.name}")) FROM "{name}"')
                assert longest <= column.max_length


def test_headers_equal_the_sum_of_their_lines(sim):
    for header, line in (("Order", "OrderProduct"), ("Invoice", "InvoiceProduct")):
        wrong = sim.site.db.value(
            f'SELECT count(*) FROM "{header}" h WHERE Amount<>(SELECT sum(TotalAmount) FROM {line} l '
            f"WHERE l.{header}Id=h.Id) OR PrimaryAmount<>(SELECT sum(PrimaryTotalAmount) FROM {line} l "
            f"WHERE l.{header}Id=h.Id)"
        )
        assert wrong == 0
        assert sim.site.db.value(f'SELECT count(*) FROM "{header}"') > 20


def test_several_countries_currencies_and_price_lists(sim):
    db = sim.site.db
    assert db.value("SELECT count(DISTINCT CountryId) FROM Account") >= 6
    assert db.value('SELECT count(DISTINCT CurrencyId) FROM "Order"') >= 5
    assert db.value("SELECT count(DISTINCT PriceListId) FROM ProductPrice") == 3


def test_the_same_seed_gives_the_same_data(sim):
    again = CreatioSimulator.create(200, 7, clock=SimClock(datetime(2026, 1, 1, tzinfo=UTC), manual=True))
    other = CreatioSimulator.create(200, 8, clock=SimClock(datetime(2026, 1, 1, tzinfo=UTC), manual=True))
    for name in ("Account", "Contact", "OrderProduct"):
        rows = [s.site.db.rows(name, "1") for s in (sim, again, other)]
        assert rows[0] == rows[1] != rows[2]


def test_numbers_continue_after_the_sample_data(sim):
    orders = sim.site.db.value('SELECT count(*) FROM "Order"')
    person = sim.as_user()
    assert person.read("Order", person.create("Order", {}))["Number"] == f"ORD-{orders + 1}"


def test_settings_are_an_object_or_keywords():
    with pytest.raises(TypeError, match="not both"):
        CreatioSimulator.create(1, settings=CreatioSettings(), database="mssql")
    assert CreatioSimulator.create(1, settings={"runtime": "core"}).options.prefix == ""
    assert "weft-secret" not in repr(CreatioSettings())
    bundle = CreatioSimulator.create(1, without_packages=["CrtOCMInLeadOppMgmt"])
    assert "CreatedFromOpps" not in bundle.site.model.entity("Order").columns


def test_in_a_process_of_its_own():
    with serve_in_process("weft_creatio.simulator:create", {"records": 5}) as served:
        context = ssl.create_default_context(cafile=served.ca_file)
        with httpx.Client(verify=context, base_url=served.url("creatio")) as http:
            form = {"grant_type": "client_credentials", "client_id": "weft-client", "client_secret": "weft-secret"}
            token = http.post("/connect/token", data=form).json()["access_token"]
            answer = http.get("/0/odata/Account/$count", headers={"Authorization": f"Bearer {token}"})
        assert answer.text == "6"
