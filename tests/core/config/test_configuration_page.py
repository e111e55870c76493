"""The page about the configuration is what the code says, and covers every setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from weft.config.companies import CompanyTarget, CompanyWhen
from weft.config.flows import FlowConfig, Guards, Retry, Totals
from weft.config.jobs import Jobs, Webhook
from weft.config.loading import load_text
from weft.config.models import Connection, ConnectionLimits, Document, Limits, Log
from weft.config.page import configuration_page
from weft.config.server import ServerConfig, Tls, TokenConfig
from weft.config.watching import AlertChannel, AlertRule, Alerts, QuietHours, Retention, Telemetry, Traces
from weft.model.declared import EntityDeclaration, FieldDeclaration, LinesDeclaration

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
MODELS = [
    Document, Connection, FlowConfig, Guards, Totals, Retry, CompanyTarget, CompanyWhen, Log, Limits,
    ServerConfig, TokenConfig, Tls,
    ConnectionLimits, AlertChannel, AlertRule, Alerts, QuietHours, Retention, Telemetry, Traces,
    EntityDeclaration, FieldDeclaration, LinesDeclaration, Jobs, Webhook,
]  # fmt: skip


def test_the_page_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == configuration_page(), "run: python -m weft.config.page > docs/configuration.md"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_setting_is_described_on_the_page(model: type[BaseModel]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, info in model.model_fields.items():
        assert info.description, f"{model.__name__}.{name} has no description"
        assert f"| `{info.alias or name}` |" in page, f"{model.__name__}.{name} is not on the page"


def test_every_model_reachable_from_the_file_is_covered() -> None:
    reachable = set(Document.model_json_schema()["$defs"])
    by_company_rules = {"CompanyTarget", "CompanyWhen"}  # the schema writes these out by hand
    assert reachable | by_company_rules | {"Document"} == {model.__name__ for model in MODELS}


def test_the_examples_on_the_page_load() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    whole, companies, mappings, entities, server, alerts = blocks
    loaded = load_text(whole)
    assert loaded.flow("customers").companies_named("erp") == ["usmf", "demf"]
    for form in re.split(r"^(?=company:)", companies, flags=re.M)[1:]:
        indented = "".join(f"    {line}\n" for line in form.splitlines())
        changed = re.sub(r"^    company: .*\n", lambda _, text=indented: text, whole, flags=re.M)
        assert load_text(changed).flow("customers").companies_named("erp")
    assert load_text(whole + mappings).mappings["erp"]["customer"]["default"]["fields"]
    rules = load_text(whole + alerts).alerts.rules
    assert rules["approval"] is None
    assert (rules["silence"] and rules["silence"].about, rules["down"] and rules["down"].count) == ("silence", 2)
    assert "warranty" in load_text(whole + entities).entities
    assert [token.name for token in load_text(whole + server).server.tokens] == ["anna", "reports"]
