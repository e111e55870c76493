"""Editions: what `weft init --edition` writes loads, and says what a system cannot do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from weft.config.edition import Parts, edition, filled, names
from weft.config.edition_text import System, edition_text
from weft.config.loading import load_text
from weft.errors import ConfigError
from weft.hookspecs import Connector
from weft.mapping.impossible import Impossible


def system(name: str, loom: Connector, *said: Impossible, parts: Parts | None = None) -> System:
    by_entity: dict[str, Sequence[Impossible]] = {one.entity: [one] for one in said}
    return System(name, "loom", loom, parts or Parts.model_validate({}), None, by_entity)


@pytest.mark.parametrize("name", names())
def test_every_edition_loads_with_all_its_flows(name: str, loom: Connector) -> None:
    found = edition(name)
    config = load_text(edition_text(found, system("crm", loom), system("erp", loom)))
    assert list(config.flows) == [flow.name for section in found.sections for flow in section.flows]


def test_what_cannot_be_done_narrows_a_flow_or_leaves_it_out(loom: Connector) -> None:
    said = (
        Impossible(entity="gl_account", impossible="write", reason="read only there"),
        Impossible(entity="quote", impossible="keep", reason="no quotes there"),
        Impossible(entity="vendor", impossible="write", reason="vendors are made elsewhere"),
    )
    text = edition_text(edition("professional"), system("crm", loom), system("erp", loom, *said))
    config = load_text(text)
    assert config.flows["accounts"].direction == "right_to_left"
    assert "  # Read only there" in text
    assert "quotes" not in config.flows
    assert "vendors" not in config.flows, "a flow that only goes there has nothing left"
    assert "  # No quotes there" in text


def test_a_connector_adds_its_part(loom: Connector) -> None:
    parts = Parts.model_validate(
        {"notes": ["make journal X"], "settings": {"colour": "red"},
         "flows": {"receipts": {"variants": ["till"], "after": ["post"]}, "deposits": {"left_out": "no bank"}}}
    )  # fmt: skip
    text = edition_text(edition("professional"), system("crm", loom), system("erp", loom, parts=parts))
    config = load_text(text)
    receipts = config.flows["receipts"]
    assert (receipts.variants, receipts.after) == ({"erp": ["till"]}, {"erp": ["post"]})
    assert "deposits" not in config.flows
    assert "    # make journal X" in text
    assert "    colour: red" in text


def test_an_unknown_edition_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"there is no edition 'gold'; there are: .*professional"):
        edition("gold")


def test_only_the_roles_are_filled_in() -> None:
    assert filled("{crm} {x} {by: {erp}}", {"crm": "a", "erp": "b"}) == "a {x} {by: b}"
