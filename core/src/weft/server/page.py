"""The page ``docs/api.md``: ``python -m weft.server.page > docs/api.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from weft.server.openapi import document

_INTRO = """\
# API

While `weft run` is up and `server: {enabled: true}` is set, everything that can be looked up and decided at
the command line and in the [dashboard](dashboard.md) is there for programs as JSON under `/api/v1`.
`/api/v1/openapi.json` describes it all, to the field, for generators of clients. This page is written from
the same source (`python -m weft.server.page > docs/api.md`).

```sh
curl -s -H "Authorization: Bearer $WEFT_TOKEN" http://127.0.0.1:8787/api/v1/status
curl -s -H "Authorization: Bearer $WEFT_TOKEN" -H "Content-Type: application/json" \\
  -d '{"flow": "customers", "kind": ["failed"]}' http://127.0.0.1:8787/api/v1/issues/retry
curl -s -H "Authorization: Bearer $WEFT_TOKEN" -o audit.csv \\
  "http://127.0.0.1:8787/api/v1/journal.csv?since=2026-01-01"
```

## Who may

`weft token NAME --role ROLE` makes a token. A `viewer` looks things up, an `operator` also decides, an
`admin` also sees and ends sessions of the dashboard. What was decided is kept with the token's name. While
there are no tokens and only this machine reaches the server, reading needs none; whoever acts from a program
needs one all the same, so that no web page can do it behind somebody's back.

## Values

Amounts are exact decimal numbers as text (`"1250.00"`), times are UTC (`2026-03-02T09:00:00Z`), references
are `Object(key)`. Times that are sent may leave out the offset: then they are UTC, a day alone is its first
moment. Unknown parameters and fields are refused, not ignored.

Lists come in pages: `next` of the answer is sent as `after` or `before` for the following one, null at the
end. A parameter that may have several values is given several times: `?kind=failed&kind=waiting`.

## Refusals

Every refusal is `{"error": {"code": …, "message": …}}`, the message in words for people, secrets masked.

| Status | Code | When |
|---|---|---|
| 401 | `no_token`, `wrong_token`, `expired_token`, `ended_session` | who asks is not known, or no longer |
| 403 | `wrong_role` | the role does not reach |
| 403 | `passed_on` | it came by a proxy, and nobody is asked who they are: set `server.public_url` and `tokens` |
| 403 | `cross_site`, `forged` | the request comes from another site, or proves not that it comes from this one |
| 404 | `not_there` | there is no such issue, link, run, proof or address |
| 405 | `wrong_method` | the address takes another method |
| 409 | `not_possible` | it is there, but this cannot be done to it as it stands |
| 413 | `too_large` | the body has more than 1 MiB (16 MiB for links) |
| 415 | `not_json` | the body is not said to be JSON |
| 421 | `wrong_host` | who has no token calls the server by a name that is not its own: set `server.public_url` |
| 422 | `invalid` | what was sent does not fit; the message names each field |
| 429 | `too_many_tries` | ten tokens from this address were wrong within five minutes; `Retry-After` says how long |
| 502 | `login_refused`, `system_down` | a connected system refused or did not answer |
| 503 | `state` | the state cannot be reached |
"""


def api_page() -> str:
    """The whole page."""
    paths: dict[str, dict[str, Any]] = document()["paths"]
    lines = [_INTRO, "## Looking things up", ""]
    for path, methods in paths.items():
        if "get" in methods:
            lines += _operation("GET", path, methods["get"])
    lines += ["## Deciding", "", "Carried out by the next run, at once by a daemon.", ""]
    schemas = document()["components"]["schemas"]
    for path, methods in paths.items():
        if "post" in methods:
            lines += _operation("POST", path, methods["post"], schemas)
    return "\n".join(lines).rstrip() + "\n"


def _operation(method: str, path: str, about: dict[str, Any], schemas: dict[str, Any] | None = None) -> Iterator[str]:
    yield from (f"### {method} {path}", "")
    if about["x-role"] != "viewer":
        yield from (f"Takes the role {about['x-role']}.", "")
    yield from (about["description"].replace("``", "`"), "")
    rows = [_row(one["name"], one["schema"], one.get("description")) for one in about.get("parameters", ())]
    if schemas is not None:
        schema = about["requestBody"]["content"]["application/json"]["schema"]
        schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        needed = schema.get("required", [])
        rows = [_row(n, one, one.get("description"), n in needed) for n, one in schema["properties"].items()]
        if words := schema.get("description"):
            yield from (" ".join(words.split()).replace("``", "`"), "")
    if rows:
        yield from ("| Name | Value | Meaning |", "|---|---|---|", *rows, "")


def _row(name: str, schema: dict[str, Any], meaning: str | None, needed: bool = False) -> str:
    default = schema.get("default")
    said = [meaning] if meaning else []
    if needed:
        said.append("required")
    elif default not in (None, [], False, ""):
        said.append(f"default `{default}`")
    return f"| `{name}` | {_kind(schema)} | {'; '.join(said)} |"


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(kind for one in schema["anyOf"] if (kind := _kind(one)) != "null")
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"object of {_kind(inner)}" if isinstance(inner, dict) else "object"
    return str(schema.get("format") or schema.get("type", "any")).replace("date-time", "time").replace("string", "text")


if __name__ == "__main__":
    sys.stdout.write(api_page())
