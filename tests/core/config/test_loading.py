"""Loading weft.yaml: what is understood, and how mistakes are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.config.loading import Config, InvalidConfig, load, load_text
from weft.errors import ConfigError

Load = Callable[[str], Config]

BASE = """\
connections:
  crm: {kind: creatio, url: https://crm.example}
  erp: {kind: bc, url: https://erp.example, port: 1}
flows:
  customers:
    entity: customer
    between: [crm, erp]
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(InvalidConfig) as caught:
        load_text(text)
    return caught.value.problems


def test_a_whole_flow(config: Load) -> None:
    loaded = config(
        BASE
        + """\
    owner: crm
    fields: {credit_limit: erp, payment_terms: newest, name: {owner: crm}, notes: {on_conflict: review}}
    when: type = 'Customer'
    company: {by: address.country, US: usmf, NO: nomf, DE: [demf, atmf], default: {company: x}}
    create: erp
    guards: {deletes: 5, window: 1d}
    after: {erp: post}
    variants: {crm: account}
    match: [[tax_id], [name, address.postal_code]]
    totals: {tolerance: 0.05}
    retry: {attempts: 3, backoff: 10s}
    on: webhook
    every: 5m
    overlap: 90
    sweep: null
"""
    )
    flow = loaded.flow("customers")
    assert (flow.left, flow.right) == ("crm", ("erp",))
    assert flow.on_conflict == "owner"
    assert flow.fields == {"credit_limit": "erp", "payment_terms": "newest", "name": "crm", "notes": "review"}
    assert flow.company is not None
    assert {value: [t.company for t in to] for value, to in flow.company.values.items()} == {
        "US": ["usmf"],
        "NO": ["nomf"],
        "DE": ["demf", "atmf"],
    }
    assert flow.companies_named("erp") == ["usmf", "nomf", "demf", "atmf", "x"]
    assert flow.companies_named("crm") == []
    assert flow.create == ["erp"]
    assert (flow.may_create("erp"), flow.may_create("crm")) == (True, False)
    assert (flow.guards.deletes, flow.guards.percent, flow.guards.window) == (5, 5, timedelta(days=1))
    assert flow.after == {"erp": ["post"]}
    assert flow.variants == {"crm": ["account"]}
    assert flow.totals.tolerance == Decimal("0.05")
    assert flow.retry.backoff == timedelta(seconds=10)
    assert (flow.on, flow.every, flow.overlap, flow.sweep) == (
        "webhook", timedelta(minutes=5), timedelta(seconds=90), None,
    )  # fmt: skip
    assert loaded.connection("erp").settings == {"url": "https://erp.example", "port": 1}
    assert loaded.kinds() == {"creatio", "bc"}
    assert loaded.where("flows", "customers", "when").endswith("weft.yaml:10:5")
    assert loaded.folder == loaded.path.parent  # type: ignore[union-attr]


def test_defaults(config: Load) -> None:
    loaded = config(BASE)
    flow = loaded.flow("customers")
    assert (flow.direction, flow.first, flow.on_conflict, flow.ambiguous) == (
        "both",
        "fill",
        "review",
        "issue",
    )
    assert flow.create is None
    assert flow.may_create("crm")
    assert flow.sweep == timedelta(days=1)
    assert loaded.state == "sqlite:///weft.db"
    assert loaded.limits.of("crm").concurrency == 8
    assert loaded.log.level == "info"


@pytest.mark.parametrize(
    ("direction", "left", "right"),
    [("both", True, True), ("left_to_right", False, True), ("right_to_left", True, False)],
)
def test_direction_says_where_may_be_written(config: Load, direction: str, left: bool, right: bool) -> None:
    flow = config(f"{BASE}    direction: {direction}\n").flow("customers")
    assert (flow.writes_to("crm"), flow.writes_to("erp")) == (left, right)
    assert (flow.may_create("crm"), flow.may_create("erp")) == (left, right)


@pytest.mark.parametrize(
    ("written", "rules", "companies"),
    [
        ("usmf", [(None, ["usmf"])], ["usmf"]),
        ("[usmf, demf]", [(None, ["usmf", "demf"])], ["usmf", "demf"]),
        (
            "[{when: a = 1, to: usmf}, {to: [demf, usmf]}]",
            [("a = 1", ["usmf"]), (None, ["demf", "usmf"])],
            ["usmf", "demf"],
        ),
        ("[{to: {connection: crm, company: x}}]", [(None, ["x"])], []),
    ],
)
def test_company_rules(
    config: Load, written: str, rules: list[tuple[str | None, list[str]]], companies: list[str]
) -> None:
    flow = config(f"{BASE}    company: {written}\n").flow("customers")
    assert flow.company is not None
    assert [(rule.when, [t.company for t in rule.to]) for rule in flow.company.rules] == rules
    assert flow.companies_named("erp") == companies


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("    onwer: crm\n", ":8:5: F.onwer: unknown key 'onwer', did you mean 'owner'?"),
        ("    owner: ero\n", ":8:12: F.owner: 'ero' is not one of the flow's connections"),
        ("    fields: {credt_limit: erp}\n", ":8:14: F.fields.credt_limit: customer has "
         "no field 'credt_limit', did you mean 'credit_limit'?"),
        ("    fields: {name: epr}\n", ":8:20: F.fields.name: 'epr' is not one of the flow's "
         "connections (crm, erp), did you mean 'erp'?"),
        ("    direction: btoh\n", ":8:16: F.direction: 'btoh' is not one of both, "
         "left_to_right, right_to_left, did you mean 'both'?"),
        ("    every: 5 minutes\n", ":8:12: F.every: write a duration as 30s, 5m"),
        ("    every: 0s\n", ":8:12: F.every: must be at least one second"),
        ("    cron: '0 2 * *'\n", ":8:11: F.cron: write five fields"),
        ("    timezone: Europe/Berln\n", "'Europe/Berln' is no time zone"),
        ("    on_conflict: owner\n", "`on_conflict: owner` needs `owner: <connection>`"),
        ("    first_differences: owner\n", "`first_differences: owner` needs"),
        ("    every: 5m\n    cron: 0 2 * * *\n", "`every` and `cron` exclude each other"),
        ("    variants: {cmr: account}\n", "F.variants.cmr: 'cmr' is not one of"),
        ("    after: {crn: post}\n", "F.after.crn: 'crn' is not one of"),
        ("    create: [xyz]\n", "F.create: 'xyz' is not one of"),
        ("    direction: left_to_right\n    create: crm\n", "nothing is created in 'crm': the direction is"),
        ("    match: [[taxid]]\n", ":8:14: F.match.0.0: customer has no field 'taxid', did you"),
        ("    company: {by: address.cuntry, US: x}\n", ":8:19: F.company.by: customer has no"),
        ("    company: {US: x}\n", "'US' needs `by: <field>` beside it"),
        ("    company: {by: type}\n", "needs at least one"),
        ("    company: [{wen: a, to: b}]\n", "unknown key 'wen', did you mean 'when'?"),
        ("    company: [{when: a}]\n", "F.company"),
        ("    company: {by: type, US: {connection: x, company: y}}\n", "F.company: 'x' is not one of"),
        ("    fields: {name: {onwer: erp}}\n", "mapping with just `owner` or `on_conflict`"),
        ("    fields: {name: {on_conflict: owner}}\n", "`on_conflict` of a field is `newest` or `review`"),
        ("    guards: {percent: 150}\n", "F.guards.percent"),
        ("    batch: 0\n", "F.batch"),
        ("mappings: {ero: {customer: {}}}\n", ":8:12: mappings.ero: there is no connection 'ero', did you "
         "mean 'erp'?"),
        ("mappings: {erp: {costumer: {}}}\n", "mappings.erp.costumer: there is no entity 'costumer'"),
        ("limits: {connections: {cmr: {concurrency: 2}}}\n", "limits.connections.cmr: there is no"),
        ("state: mysql://x\n", ":8:8: state: write `sqlite:///weft.db`"),
        ("entities: {Bad: {fields: {a: text}}}\n", "entities.Bad"),
        ("entities: {mine: {fields: {a: txt}}}\n", ":8:31: entities.mine.fields.a"),
        ("log: {level: loud}\n", "log.level: 'loud' is not one of debug, info, warning, error"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_place(lines: str, expected: str) -> None:
    found = problems(BASE + lines)
    assert len(found) == 1, found
    assert expected.replace("F.", "flows.customers.") in found[0]


def test_unknown_connections_and_entities_are_named() -> None:
    text = BASE.replace("[crm, erp]", "[crm, ero]").replace("entity: customer", "entity: custmer")
    assert problems(text) == (
        "weft.yaml:7:20: flows.customers.between.1: there is no connection 'ero', did you mean 'erp'?; "
        "there are: crm, erp",
        "weft.yaml:6:13: flows.customers.entity: there is no entity 'custmer', did you mean 'customer'?",
    )


def test_a_field_of_the_lines_is_pointed_out() -> None:
    text = BASE.replace("entity: customer", "entity: sales_order") + "    fields: {quantity: erp}\n"
    assert "lines.quantity belongs to the lines" in problems(text)[0]


def test_several_mistakes_at_once() -> None:
    found = problems(BASE + "    onwer: crm\n    batch: none\nstaet: x\nconnections2: {}\n")
    assert sorted(line.split(": ")[1] for line in found) == [
        "connections2", "flows.customers.batch", "flows.customers.onwer", "staet",
    ]  # fmt: skip


def test_a_connection_without_a_kind() -> None:
    assert "connections.x.kind: is missing" in problems("connections: {x: {url: a}}")[0]


@pytest.mark.parametrize("name", ["newest", "review", "both", "none", "left", "right", "owner"])
def test_reserved_words_are_no_connection_names(name: str) -> None:
    assert "a connection cannot be called" in problems(f"connections: {{{name}: {{kind: bc}}}}")[0]


def test_broken_yaml_names_the_line() -> None:
    with pytest.raises(ConfigError, match=r"weft\.yaml:3:6: did not find expected"):
        load_text("connections:\n  crm: {kind: creatio\nflows: {}\n")


def test_a_repeated_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="appears twice"):
        load_text("state: sqlite:///a\nstate: sqlite:///b\n")


@pytest.mark.parametrize(("text", "message"), [("", "is empty"), ("- a\n", "expected keys"), ("x", "expected keys")])
def test_no_configuration_at_all(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_text(text)


def test_a_missing_file_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; `weft init`"):
        load(tmp_path / "nowhere.yaml")


def test_unknown_names_asked_for_later(config: Load) -> None:
    loaded = config(BASE)
    with pytest.raises(ConfigError, match="no connection 'epr', did you mean 'erp'"):
        loaded.connection("epr")
    with pytest.raises(ConfigError, match="no flow 'customer', did you mean 'customers'"):
        loaded.flow("customer")


def test_declared_entities_can_be_used_in_flows(config: Load) -> None:
    loaded = config(
        BASE
        + """\
  warranties: {entity: warranty, between: [crm, erp], fields: {serial: erp, custom.x: crm}}
entities:
  warranty: {fields: {serial: text}}
"""
    )
    assert loaded.flow("warranties").fields == {"serial": "erp", "custom.x": "crm"}


def test_a_declared_entity_may_not_replace_one_of_wefts() -> None:
    with pytest.raises(ConfigError, match="'customer' of the configuration exists already"):
        load_text(BASE + "entities: {customer: {fields: {a: text}}}\n")


def test_settings_do_not_appear_in_the_repr() -> None:
    loaded = load_text("connections: {crm: {kind: x, password: hunter2-long}}")
    assert "hunter2" not in repr(loaded)
    assert "hunter2" not in str(loaded.connections)


def test_limits_of_one_connection(config: Load) -> None:
    loaded = config(BASE + "limits: {concurrency: 4, connections: {erp: {concurrency: 2}}}\n")
    assert loaded.limits.of("erp").concurrency == 2
    assert loaded.limits.of("crm").concurrency == 4


def mistakes(text: str) -> tuple[str, ...]:
    """What is wrong; anything but a configuration error fails the test."""
    try:
        load_text(text)
    except InvalidConfig as error:
        return error.problems
    except ConfigError as error:
        return (str(error),)
    return ()


@given(st.text(max_size=200) | st.text(alphabet="abc:{}[]- \n\"'&*!|>%@`\t#", max_size=80))
def test_any_text_loads_or_is_a_configuration_error(text: str) -> None:
    assert all(line.startswith("weft.yaml") for line in mistakes(text))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_keys = [
    "owner",
    "fields",
    "company",
    "create",
    "guards",
    "match",
    "after",
    "every",
    "sweep",
    "retry",
    "between",
    "entity",
]


@given(st.dictionaries(st.sampled_from(_keys), _json, max_size=3))
def test_any_value_of_a_setting_loads_or_is_a_configuration_error(flow: dict[str, object]) -> None:
    body = json.dumps({"entity": "customer", "between": ["crm", "erp"], **flow}, ensure_ascii=True)
    text = f"connections: {{crm: {{kind: a}}, erp: {{kind: b}}}}\nflows: {{f: {body}}}\n"
    assert all(line.startswith("weft.yaml:") for line in mistakes(text))


@pytest.mark.parametrize(
    ("alerts", "told"),
    [
        ("rules: {mine: {about: issues, kinds: faild}}", "'faild' is not one of failed, waiting"),
        ("quiet: {start: 22:00, end: 22:00}", "start and end are the same time"),
    ],
)
def test_an_alert_that_would_never_be_told_is_a_mistake(alerts: str, told: str) -> None:
    [problem] = problems(BASE + f"alerts: {{{alerts}}}\n")
    assert told in problem
