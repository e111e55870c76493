"""Open issues put together by what caused them: the same trouble, told of many records."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from weft.state.issues import OPEN
from weft.state.tables import issues as table
from weft.state.tx import Tx

_OWN = re.compile(r"'[^']*'|\"[^\"]*\"|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[A-Za-z]*[-_]?\d[\w.,:-]*|(?<=: )\S+@\S+")
"""What of a reason belongs to one record: quoted texts, ids, numbers, addresses."""
_REPEATED = re.compile(r"…(?:\s*…)+")
MOST = 300
"""Characters of a reason that count."""
EXAMPLES = 5


@dataclass(slots=True)
class Cause:
    """``words``: the reason with ``…`` for what differs from record to record. ``key`` names the cause."""

    key: str
    flow: str
    kind: str
    code: str
    connection: str
    words: str
    count: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    examples: list[str] = field(default_factory=list)


def cause_of(flow: str, kind: str, code: str, connection: str, reason: str) -> Cause:
    """The cause an issue belongs to."""
    about = (flow, kind, code, connection, _common(reason))
    digest = hashlib.sha256("\0".join(about).encode()).hexdigest()[:16]
    return Cause(digest, *about)


def _common(reason: str) -> str:
    """What a reason has in common with others of its cause."""
    return _REPEATED.sub("…", _OWN.sub("…", reason[:MOST]))[:MOST]


def causes(tx: Tx, flow: str | None = None, kinds: list[str] | None = None) -> list[Cause]:
    """The causes of all open issues, the one with most records first."""
    columns = (table.c.flow, table.c.kind, table.c.code, table.c.connection, table.c.reason)
    query = select(
        *columns, func.count(), func.min(table.c.opened_at), func.max(table.c.updated_at), func.min(table.c.label)
    ).where(OPEN)  # fmt: skip
    if flow is not None:
        query = query.where(table.c.flow == flow)
    if kinds:
        query = query.where(table.c.kind.in_(kinds))
    found: dict[tuple[str, ...], Cause] = {}
    for row in tx.connection.execute(query.group_by(*columns)):
        flow_name, kind, code, connection, reason, count, oldest, newest, label = row
        key = (flow_name, kind, code, connection, _common(reason))
        if key not in found:
            found[key] = cause_of(flow_name, kind, code, connection, reason)
        cause = found[key]
        cause.count += count
        cause.oldest = min(cause.oldest or oldest, oldest)
        cause.newest = max(cause.newest or newest, newest)
        if label and len(cause.examples) < EXAMPLES:
            cause.examples.append(label)
    return sorted(found.values(), key=lambda one: (-one.count, one.flow, one.key))


def ids_of(tx: Tx, key: str) -> list[int]:
    """The open issues of a cause, oldest first."""
    columns = (table.c.flow, table.c.kind, table.c.code, table.c.connection, table.c.reason)
    rows = tx.connection.execute(select(table.c.id, *columns).where(OPEN).order_by(table.c.id))
    known: dict[tuple[str, ...], str] = {}
    found = []
    for id, flow, kind, code, connection, reason in rows:
        one = (flow, kind, code, connection, _common(reason))
        if one not in known:
            known[one] = cause_of(flow, kind, code, connection, reason).key
        if known[one] == key:
            found.append(id)
    return found
