"""What `weft init` writes loads as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from weft import yamlpos
from weft.config.loading import load_text
from weft.config.schema import json_schema
from weft.config.secrets import findings, resolve
from weft.config.template import template
from weft.hookspecs import Connector

FLOWS = {
    "customers": "customer",
    "contacts": "contact",
    "products": "product",
    "orders": "sales_order",
    "invoices": "sales_invoice",
    "payments": "payment",
}


def test_it_loads_and_holds_the_usual_flows(loom: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    text = template({"crm": "loom", "erp": "loom"}, {"loom": loom})
    loaded = load_text(text)
    assert {name: flow.entity for name, flow in loaded.flows.items()} == FLOWS
    assert all(flow.between == ["crm", "erp"] for flow in loaded.flows.values())
    assert loaded.flow("customers").fields["credit_limit"] == "erp"
    monkeypatch.setenv("LOOM_SECRET", "value")
    settings: Any = resolve(loaded, "crm", loom.settings)
    assert settings.auth.client_secret.reveal() == "value"
    assert list(findings(loaded, "crm", settings)) == []


def test_the_schema_accepts_it(loom: Connector, schema_errors: Callable[[Any, dict[str, Any]], list[str]]) -> None:
    text = template({"crm": "loom", "erp": "loom"}, {"loom": loom})
    assert schema_errors(yamlpos.load(text).data, json_schema({"loom": loom})) == []


def test_settings_carry_their_descriptions(loom: Connector) -> None:
    lines = template({"crm": "loom", "erp": "loom"}, {"loom": loom}).splitlines()
    place = lines.index("    url: https://loom.example")
    assert lines[place - 1] == "    # Address of the loom"
    assert "  crm:  # A loom, see https://docs.example/loom" in lines


def test_commented_settings_load_once_they_are_uncommented(loom: Connector) -> None:
    text = template({"crm": "loom", "erp": "loom"}, {"loom": loom})
    awake = "\n".join(re.sub(r"^    # (when|company|approve|after):", r"    \1:", line) for line in text.splitlines())
    assert awake.count("\n    company:") == 1
    loaded = load_text(awake)
    assert loaded.flow("customers").companies_named("erp") == ["usmf", "demf"]
    assert loaded.flow("invoices").after == {"erp": ["post"]}
    assert loaded.flow("orders").approve == "gross_amount > 10000"


def test_flows_nobody_maps_are_comments(loom: Connector) -> None:
    text = template({"crm": "loom", "erp": "loom"}, {"loom": loom}, entities={"customer", "payment"})
    assert list(load_text(text).flows) == ["customers", "payments"]
    assert "  # orders:" in text
    assert not load_text(template({"a": "loom", "b": "loom"}, {"loom": loom}, entities=())).flows


def test_one_and_three_connections(loom: Connector) -> None:
    assert load_text(template({"crm": "loom"}, {"loom": loom})).flows == {}
    three = load_text(template({"a": "loom", "b": "loom", "c": "loom"}, {"loom": loom}))
    assert three.flow("customers").right == ("b", "c")


def test_awkward_samples_survive(loom: Connector) -> None:
    samples = {"url": "yes: # no", "port": 80, "headers": {"x": "12:30", "y": "007", "z": "null"}, "auth": {}}
    text = template({"a": "loom", "b": "loom"}, {"loom": replace(loom, samples=samples)})
    assert load_text(text).connection("a").settings == samples
