"""The page ``docs/configuration.md``: ``python -m weft.config.page > docs/configuration.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from weft.config.companies import CompanyTarget, CompanyWhen
from weft.config.flows import FlowConfig, Guards, Retry, Totals
from weft.config.jobs import Jobs, Webhook
from weft.config.models import Connection, ConnectionLimits, Document, Limits, Log
from weft.config.server import ServerConfig, Tls, TokenConfig
from weft.config.values import spell_duration
from weft.config.watching import USUAL, AlertChannel, AlertRule, Alerts, QuietHours, Retention, Telemetry, Traces
from weft.model.declared import EntityDeclaration, FieldDeclaration, LinesDeclaration

_INTRO = """\
# Configuration

One file, `weft.yaml`, says which systems are connected and what is kept in agreement between them.
`weft init` writes one to start from, `weft check` holds it against the live systems, `weft schema`
writes a JSON Schema for completion in editors. The tables of this page are written from the code
(`python -m weft.config.page > docs/configuration.md`).

```yaml
state: sqlite:///weft.db
connections:
  crm:
    kind: creatio
    url: https://acme.creatio.com
    auth: {client_id: weft, client_secret: "${env:CREATIO_SECRET}"}
  erp:
    kind: bc
    tenant: contoso.example
    environment: production
    auth: {client_id: 11111111-2222-3333-4444-555555555555, client_secret: "${keyring:weft/erp}"}
flows:
  customers:
    entity: customer
    between: [crm, erp]
    owner: crm
    fields: {credit_limit: erp, payment_terms: erp}
    when: type = 'Customer'
    company: {by: address.country, US: usmf, DE: demf}
    every: 5m
```

The file is YAML with few plain types: `true`, `false`, `null`, numbers and text. `NO`, `on`, `12:30`
and `007` are text; no quotes needed. Every mistake is told at once, each with file, line, column, key
and what is allowed:

```
weft.yaml:14:5: flows.customers.onwer: unknown key 'onwer', did you mean 'owner'?; allowed: …
```

Durations are written `30s`, `5m`, `1h 30m`, `2d`, `1w`, or as a number of seconds.
"""

_SECRETS = """\
## Secrets

Secrets stay outside the file. A reference may stand wherever a connection's setting does, in `state`, and where
the tables below say so: in webhooks, access tokens, channels of alerts and headers of traces.

| Reference | Gives |
|---|---|
| `${env:NAME}` | the environment variable `NAME` |
| `${file:path}` | the content of a file, relative to `weft.yaml`; a final line break is dropped |
| `${keyring:service/name}` | an entry of the system's keyring (needs `pip install 'weft[keyring]'`) |

A reference may be part of a longer text. `$${` writes a plain `${`. References are not nested, and what
they give is not searched for further references. They are looked up when a connection is opened or on
`weft check`; a missing one is an error that names the key and the reference, never a value. A secret
written in clear text works, and `weft check` warns about it.
"""

_MAPPINGS = """\
## Mappings

A connector brings a mapping for each entity it knows. `mappings:` changes them field by field, by
connection, entity and variant; see [mapping](mapping.md) for what a mapping holds.

```yaml
mappings:
  erp:
    customer:
      default:
        fields:
          custom_Rating: custom.rating
```
"""

_COMPANY = """\
### company

Which company, that is which legal entity, a record goes to. The choice is made once and kept with the
link: a customer who moves to another country is a question, not a second customer. A record that no
rule covers is an issue. Four forms:

```yaml
company: usmf                                        # every record
company: [usmf, demf]                                # every record to both
company: {by: address.country, US: usmf, DE: [demf, atmf], default: usmf}
company:                                             # the first rule that holds
  - {when: gross_amount > 100000, to: usmf}
  - {when: address.country = 'DE', to: {connection: erp, company: demf}}
  - {to: usrt}
```
"""

_ENTITIES = """\
## entities

Entities of your own, in addition to [weft's](model.md). Each becomes a canonical entity that mappings
and flows can use.

```yaml
entities:
  warranty:
    title: Warranty
    label: [serial]
    fields:
      serial: text
      product: {ref: product, doc: What it covers}
      price: {kind: money, currency: currency}
      currency: {ref: currency}
      status: {values: [open, expired]}
    lines:
      repairs:
        fields: {date: date, note: text}
```
"""

_SERVER = """\
## server

`weft run` serves the [API](api.md), the [dashboard](dashboard.md), webhooks, health and metrics when this is
enabled. On 127.0.0.1 it asks for nothing as long as there are no tokens. Where other machines reach it, it
starts only with tokens, and with HTTPS of its own or of a proxy in front.

```yaml
server:
  enabled: true
  listen: 0.0.0.0:8787
  public_url: https://weft.example.com
  tokens:
    - {name: anna, role: operator, hash: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
    - {name: reports, role: viewer, token: "${env:WEFT_REPORTS_TOKEN}", expires: 2027-01-01}
```
"""


_ALERTS = """\
## alerts

`weft run` tells people what needs one, on any channel that [Apprise](https://github.com/caronc/apprise)
knows: e-mail, Teams, Slack and a hundred more. Each thing is told once on each channel, again when there is
ten times as much of it, and when it is well again. What has been told is kept in the state: a restart
tells nothing twice, and of several workers one tells. (A worker that is killed between sending a message and
remembering that it did leaves it to be sent again: better twice than never.) `weft alerts test` sends a test
message.

```yaml
alerts:
  channels:
    mail: {url: "${env:ALERT_MAIL}"}     # mailtos://user:password@smtp.example.com?to=ops@example.com
    teams: {url: "${env:ALERT_TEAMS}", least: critical}
  rules:
    silence: {after: 2h}                 # changes a usual rule
    approval: null                       # switches one off
    refused: {about: issues, flows: customers, kinds: [failed, conflict], count: 5, severity: critical, to: mail}
  digest: 15m
  quiet: {start: 22:00, end: 06:00, timezone: Europe/Berlin}
```
"""

_RETENTION = """\
Links, bases, cursors and everything open are never forgotten. The journal is kept unless `journal` says how
long; then only whole runs are given up, so that the chains of those that stay can still be verified, and of
those given up the number of entries and the last hash remain.
"""


def _usual_rules() -> Iterator[str]:
    yield "| Rule | About | Kinds | Count | After | Severity |"
    yield "|---|---|---|---|---|---|"
    for name, written in USUAL.items():
        rule = AlertRule(**written)
        kinds = ", ".join(f"`{kind}`" for kind in rule.kinds or ())
        yield f"| `{name}` | `{rule.about}` | {kinds} | {rule.count} | {spell_duration(rule.after)} | {rule.severity} |"
    yield ""


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value: Any = info.get_default(call_default_factory=True)  # type: ignore[call-overload, unused-ignore]
    if isinstance(value, timedelta):
        return f"`{spell_duration(value)}`"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value in ({}, [], ""):
        return ""
    if isinstance(value, dict):
        return "see below"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| Key | Default | Meaning |"
    yield "|---|---|---|"
    for name, info in model.model_fields.items():
        meaning = (info.description or "").replace("|", "\\|")
        yield f"| `{info.alias or name}` | {_default(info)} | {meaning} |"
    yield ""


def configuration_page() -> str:
    """The whole page as Markdown."""
    out = [_INTRO, "## The file", "", *_table(Document)]
    out += ["## connections", "", "Everything but `kind` is the connector's own; see its page.", ""]
    out += [*_table(Connection), _SECRETS, "## flows", ""]
    out += ["A flow keeps one entity in agreement between a left connection and one or more right ones.", ""]
    out += [*_table(FlowConfig), _COMPANY, "A rule of a list:", "", *_table(CompanyWhen)]
    out += ["A destination in full:", "", *_table(CompanyTarget)]
    out += ["### guards", "", "A mass change stops the flow until a person approves it once.", ""]
    out += [*_table(Guards), "### totals", "", *_table(Totals), "### retry", "", *_table(Retry)]
    out += [_MAPPINGS, _ENTITIES, "An entity:", "", *_table(EntityDeclaration)]
    out += ["A field:", "", *_table(FieldDeclaration), "A collection of lines:", ""]
    out += [*_table(LinesDeclaration), "## log", "", *_table(Log), "## limits", "", *_table(Limits)]
    out += ["For one connection, under `limits.connections`:", "", *_table(ConnectionLimits)]
    out += [_SERVER, *_table(ServerConfig), "### tokens", "", *_table(TokenConfig), "### tls", "", *_table(Tls)]
    out += [_ALERTS, *_table(Alerts), "A channel:", "", *_table(AlertChannel), "A rule:", "", *_table(AlertRule)]
    out += ["The usual rules:", "", *_usual_rules(), "### quiet", "", *_table(QuietHours)]
    out += ["## telemetry", "", "See [metrics](metrics.md).", "", *_table(Telemetry)]
    out += ["### traces", "", *_table(Traces), "## retention", "", _RETENTION, *_table(Retention)]
    out += ["## jobs", "", *_table(Jobs), "## webhooks", "", *_table(Webhook)]
    return "\n".join(out).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
