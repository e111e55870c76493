"""Pushes: what the site tells of a changed record.

Creatio has no webhooks of its own for changes. The listener of weft's package posts
``{"entity": "OrderProduct", "id": "…", "parentName": "Order", "parentId": "…"}`` to the hook's address; so may any
process with the element *Call web service*. Several records may stand in a list. A row of weft's outbox has the same
names and may be sent as it is.
"""

from __future__ import annotations

import re
from typing import Any

from weft.net import json as exact_json
from weft.records import Context, Hint, Reply, Request

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAME = re.compile(r"[A-Za-z]\w{0,99}")


def receive(ctx: Context, request: Request) -> Reply:
    """200 and the records told; 400 where none can be made out."""
    try:
        document: Any = exact_json.loads(request.body)
    except ValueError as error:
        ctx.log.warning("a push that cannot be read: %s", error)
        return Reply(status=400, body=b"not JSON")
    entries = document if isinstance(document, list) else [document]
    hints: dict[Hint, None] = {}
    for entry in entries:
        told = _told(entry) if isinstance(entry, dict) else None
        if told is None:
            ctx.log.warning("a push that names no record: %.200r", entry)
        else:
            hints[told] = None
    if not hints:
        return Reply(status=400, body=b'write {"entity": "Opportunity", "id": "..."}')
    return Reply(hints=tuple(hints))


def _told(entry: dict[str, Any]) -> Hint | None:
    """The record an entry names; of a line, the document it belongs to."""
    named = {str(key).lower(): value for key, value in entry.items()}
    for name, key in (("parentname", "parentid"), ("entity", "id"), ("entityname", "recordid")):
        found = (_ending(named, name), _ending(named, key))
        if _NAME.fullmatch(found[0]) and _GUID.fullmatch(found[1]) and found[1].strip("0-"):
            return Hint(found[0], found[1].lower())
    return None


def _ending(named: dict[str, Any], name: str) -> str:
    """A value by its name, with or without the prefix that a site gives its own columns."""
    if name in named:
        return str(named[name])
    longer = [value for key, value in named.items() if name not in ("id", "entity") and key.endswith(name)]
    return str(longer[0]) if longer else ""
