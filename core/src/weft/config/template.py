"""The ``weft.yaml`` that ``weft init`` writes: complete, commented, ready to be edited."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from weft.hookspecs import Connector

HEAD = """\
# weft.yaml: which systems are connected, and what is kept in agreement between them.
# Every setting: docs/configuration.md. Check it with `weft check`, preview with `weft plan`.
# For completion in editors run `weft schema > weft.schema.json` and put this in the first line:
#   # yaml-language-server: $schema=weft.schema.json

# Links, bases and the journal live here. For several machines: postgresql+psycopg://user@host/weft
state: sqlite:///weft.db

# While `weft run` is up: a dashboard and an API on http://127.0.0.1:8787, for this machine; see docs/dashboard.md.
server: {enabled: true}

# Secrets stay outside this file: ${env:NAME}, ${file:path} or ${keyring:service/name}.
connections:
"""


@dataclass(frozen=True, slots=True)
class _FlowText:
    name: str
    entity: str
    note: str
    body: str


_FLOWS = (
    _FlowText(
        "customers",
        "customer",
        "Customers travel both ways; on a conflict the left side wins, except for the fields below.",
        """\
direction: both
owner: {left}
fields: {{number: {right}, credit_limit: {right}, payment_terms: {right}}}
first: fill              # fill empties from the other side; what differs becomes an issue
# when: type = 'Customer'                                      # only some of them
# company: {{by: address.country, US: usmf, DE: demf}}           # legal entity by country
every: 5m
""",
    ),
    _FlowText(
        "contacts",
        "contact",
        "Contacts follow their customers.",
        """\
direction: both
owner: {left}
every: 15m
""",
    ),
    _FlowText(
        "products",
        "product",
        "Products and prices are kept on the right side and shown on the left.",
        """\
direction: right_to_left
owner: {right}
every: 1h
""",
    ),
    _FlowText(
        "orders",
        "sales_order",
        "Orders go to the right side; their number and state come back.",
        """\
direction: left_to_right
owner: {left}
fields: {{number: {right}, status: {right}}}
totals: {{tolerance: 0.01}}
# approve: gross_amount > 10000                                # a person releases large orders
every: 1m
""",
    ),
    _FlowText(
        "invoices",
        "sales_invoice",
        "Invoices are written on the left side; number, payments and what is left to pay come back.",
        """\
direction: left_to_right
owner: {left}
fields: {{number: {right}, status: {right}, paid_amount: {right}, remaining_amount: {right}}}
# after: {{{right}: [post]}}                                     # post as soon as it is complete
every: 5m
""",
    ),
    _FlowText(
        "payments",
        "payment",
        "Payments arrive on the right side and are shown on the left.",
        """\
direction: right_to_left
owner: {right}
every: 5m
""",
    ),
)


def template(
    connections: Mapping[str, str],
    connectors: Mapping[str, Connector],
    *,
    entities: Collection[str] | None = None,
) -> str:
    """The text of a new ``weft.yaml``.

    ``connections`` maps names to kinds: the left one first, then one or more right ones. With
    ``entities``, flows of entities that are not among them are written as comments.
    """
    lines = [HEAD]
    for name, kind in connections.items():
        lines.append("\n".join(connection_lines(name, kind, connectors[kind])) + "\n")
    lines.append("\n# Each flow keeps one entity in agreement.\n")
    if len(connections) < 2:
        lines.append("# Flows need a second connection.\n")
        return "".join(lines)
    active = [flow for flow in _FLOWS if entities is None or flow.entity in entities]
    lines.append("flows:\n" if active else "flows: {}\n")
    for flow in [*active, *(flow for flow in _FLOWS if flow not in active)]:
        text = "\n".join(_flow(flow, list(connections), active=flow in active))
        lines.append(text + "\n\n")
    return "".join(lines).rstrip() + "\n"


def connection_lines(
    name: str, kind: str, connector: Connector, more: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """A connection with the settings worth seeing: the connector's samples, and ``more`` of them."""
    see = f", see {connector.docs}" if connector.docs else ""
    yield f"  {name}:  # {connector.title}{see}"
    yield f"    kind: {kind}"
    described = {
        info.alias or field: (info.description or "").splitlines()
        for field, info in connector.settings.model_fields.items()
    }
    for key, value in {**connector.samples, **(more or {})}.items():
        for line in described.get(key, [])[:1]:
            yield f"    # {line}"
        yield from ("    " + line for line in _yaml({key: value}))


def _yaml(value: Mapping[str, Any]) -> list[str]:
    text = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)
    return text.rstrip("\n").split("\n")


def _flow(flow: _FlowText, connections: list[str], *, active: bool) -> Iterator[str]:
    mark = "  " if active else "  # "
    yield f"  # {flow.note}"
    if not active:
        yield "  # (not mapped by both connectors as they are installed)"
    yield f"{mark}{flow.name}:"
    yield f"{mark}  entity: {flow.entity}"
    yield f"{mark}  between: [{', '.join(connections)}]"
    body = flow.body.format(left=connections[0], right=connections[1])
    yield from (f"{mark}  {line}" for line in body.rstrip("\n").split("\n"))
