"""What weft remembers: links, bases, intents, journal, issues, cursors; on SQLite or PostgreSQL.

:class:`~weft.state.store.State` opens the database, :class:`~weft.state.tx.Tx` is one transaction
with an attribute per noun (``tx.links``, ``tx.issues`` …). Names resolve on first use, so importing
this package does not import SQLAlchemy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.state.alerts import Alert
    from weft.state.aliases import Alias
    from weft.state.cursors import Cursor
    from weft.state.guards import Approval
    from weft.state.hints import PendingHint
    from weft.state.intents import Intent
    from weft.state.issues import Issue
    from weft.state.journal import ChainCheck, Entry
    from weft.state.links import ChildLink, Head, Link
    from weft.state.pauses import Pause
    from weft.state.proofs import Proof
    from weft.state.quarantine import Flip
    from weft.state.requests import Request
    from weft.state.runs import Run
    from weft.state.sessions import Session
    from weft.state.statistics import Total
    from weft.state.store import State
    from weft.state.tx import Tx
    from weft.state.workers import Lease, LeaseLost, Taken, Worker

_WHERE = {
    "Alert": "alerts",
    "Alias": "aliases",
    "Approval": "guards",
    "ChainCheck": "journal",
    "ChildLink": "links",
    "Cursor": "cursors",
    "Entry": "journal",
    "Flip": "quarantine",
    "Head": "links",
    "Intent": "intents",
    "Issue": "issues",
    "Lease": "workers",
    "LeaseLost": "workers",
    "Link": "links",
    "Pause": "pauses",
    "PendingHint": "hints",
    "Proof": "proofs",
    "Request": "requests",
    "Run": "runs",
    "Session": "sessions",
    "State": "store",
    "Taken": "workers",
    "Total": "statistics",
    "Tx": "tx",
    "Worker": "workers",
}

__all__ = [
    "Alert",
    "Alias",
    "Approval",
    "ChainCheck",
    "ChildLink",
    "Cursor",
    "Entry",
    "Flip",
    "Head",
    "Intent",
    "Issue",
    "Lease",
    "LeaseLost",
    "Link",
    "Pause",
    "PendingHint",
    "Proof",
    "Request",
    "Run",
    "Session",
    "State",
    "Taken",
    "Total",
    "Tx",
    "Worker",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"weft.state.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
