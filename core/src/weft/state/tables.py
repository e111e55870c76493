"""The tables of the state database; what each holds and what keeps it unique.

Changes here need a migration in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from weft.state.types import Id, Json, Key, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

VERSION_TABLE = "weft_schema"
"""Where the schema version is kept; a name of its own, for databases shared with other programs."""


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _time(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, UtcTime, nullable=nullable)


meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

link_ids: Sequence = Sequence("link_ids", metadata=metadata)
"""PostgreSQL only. On SQLite the highest id ever given is kept in ``meta``."""

settlements: Sequence = Sequence("settlements", metadata=metadata)
"""Numbers of ``links.settled``: rises with every settlement, whoever makes it. PostgreSQL only, as above."""

# The key stands early in both unique constraints, so that references without a company use them too.
links = Table(
    "links",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("entity", Text, nullable=False),
    Column("left_connection", Text, nullable=False),
    Column("left_company", Text, nullable=False),
    Column("left_object", Text, nullable=False),
    Column("left_key", Key, nullable=False),
    Column("left_variant", Text, nullable=False),
    Column("right_connection", Text, nullable=False),
    Column("right_company", Text, nullable=False),
    Column("right_object", Text, nullable=False),
    Column("right_key", Key, nullable=False),
    Column("right_variant", Text, nullable=False),
    Column("left_base", Text),
    Column("right_base", Text),
    Column("left_print", Text),
    Column("right_print", Text),
    Column("left_version", Text),
    Column("right_version", Text),
    _time("left_changed_at", nullable=True),
    _time("right_changed_at", nullable=True),
    Column("state", Text, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("follow", Boolean, nullable=False),
    _time("created_at"),
    _time("updated_at"),
    Column("epoch", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint(
        "entity",
        "left_connection",
        "left_key",
        "left_object",
        "left_company",
        "right_connection",
        "right_company",
        name="uq_links_left",
    ),
    UniqueConstraint(
        "entity",
        "right_connection",
        "right_key",
        "right_object",
        "right_company",
        "left_connection",
        "left_company",
        name="uq_links_right",
    ),
    CheckConstraint("state IN ('linked', 'review', 'left_gone', 'right_gone', 'broken')", name="state"),
    Index("ix_links_follow", "id", sqlite_where=text("follow"), postgresql_where=text("follow")),
    Index("ix_links_odd", "state", "id", sqlite_where=text("state <> 'linked'"),
          postgresql_where=text("state <> 'linked'")),
)  # fmt: skip

child_links = Table(
    "child_links",
    metadata,
    Column("link_id", Id, ForeignKey("links.id", ondelete="CASCADE"), primary_key=True),
    Column("collection", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("left_key", Text),
    Column("right_key", Text),
    Column("position", Integer, nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("entity", Text, primary_key=True),
    Column("connection", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("company", Text, primary_key=True),
    Column("link_id", Id, ForeignKey("links.id", ondelete="CASCADE"), nullable=False),
    Column("reason", Text, nullable=False),
    _time("at"),
    Index("ix_aliases_link_id", "link_id"),
)

intents = Table(
    "intents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("flow", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("op", Text, nullable=False),
    Column("source_key", Text, nullable=False),
    Column("link_id", Id),
    Column("own_key", Text),
    Column("payload", Json),
    Column("state", Text, nullable=False),
    _time("created_at"),
    _time("sent_at", nullable=True),
    _time("settle_after", nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("result_key", Text),
    CheckConstraint("state IN ('open', 'in_doubt', 'done', 'abandoned')", name="state"),
    CheckConstraint("side IN ('left', 'right')", name="side"),
    Index("ix_intents_unsettled", "flow", "connection", "source_key",
          sqlite_where=text("state IN ('open', 'in_doubt')"),
          postgresql_where=text("state IN ('open', 'in_doubt')")),
    Index("ix_intents_settled", "created_at", sqlite_where=text("state IN ('done', 'abandoned')"),
          postgresql_where=text("state IN ('done', 'abandoned')")),
)  # fmt: skip

intent_steps = Table(
    "intent_steps",
    metadata,
    Column("intent_id", Text, ForeignKey("intents.id", ondelete="CASCADE"), primary_key=True),
    Column("step", Text, primary_key=True),
    Column("key", Text),
    Column("data", Json),
    _time("at"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("flow", Text, nullable=False),
    Column("mode", Text, nullable=False),
    _time("started_at"),
    _time("finished_at", nullable=True),
    Column("state", Text, nullable=False),
    Column("counts", Json),
    Column("plan", Json),
    Column("journal_rows", Integer, nullable=False, server_default="0"),
    Column("journal_tip", Text, nullable=False, server_default=""),
    Column("worker", Text),
    Column("error", Text),
    _time("pruned_at", nullable=True),
    Index("ix_runs_flow", "flow", "started_at"),
    Index("ix_runs_started", "started_at", "id"),
)

USUAL = ("created", "updated", "linked")
"""Outcomes of which most of the journal consists; the others are found through an index of their own."""
ODD = "outcome NOT IN ('created', 'updated', 'linked')"

journal = Table(
    "journal",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    _time("at"),
    Column("flow", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("link_id", Id),
    Column("left_key", Text),
    Column("right_key", Text),
    Column("side", Text, nullable=False),
    Column("op", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("fields", Text),
    Column("error", Text),
    Column("request_id", Text),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("run_id", "seq", name="uq_journal_run"),
    Index("ix_journal_link", "link_id", "id"),
    Index("ix_journal_left", "left_key", "id"),
    Index("ix_journal_right", "right_key", "id"),
    Index("ix_journal_flow", "flow", "id"),
    Index("ix_journal_at", "at", "id"),
    Index("ix_journal_odd", "outcome", "id", sqlite_where=text(ODD), postgresql_where=text(ODD)),
    sqlite_autoincrement=True,
)

issues = Table(
    "issues",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("flow", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("kind", Text, nullable=False),
    _text("side"),
    _text("connection"),
    _text("company"),
    _text("object"),
    _text("key"),
    _text("target"),
    Column("link_id", Id),
    _text("label"),
    _text("reason"),
    _text("code"),
    Column("error", Json),
    Column("payload", Json),
    Column("choices", Json),
    Column("edited", Json),
    Column("waits_entity", Text),
    Column("waits_connection", Text),
    Column("waits_key", Text),
    Column("attempts", Integer, nullable=False),
    _time("next_try_at", nullable=True),
    Column("state", Text, nullable=False),
    Column("closed_reason", Text),
    _time("opened_at"),
    _time("updated_at"),
    _time("closed_at", nullable=True),
    Column("run", Text),
    CheckConstraint("state IN ('open', 'closed', 'skipped')", name="state"),
    Index("uq_issues_open", "flow", "kind", "side", "connection", "company", "object", "key", "target", unique=True,
          sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    Index("ix_issues_record", "flow", "key", "state"),
    Index("ix_issues_open", "id", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    Index("ix_issues_waits", "waits_key", "waits_entity", sqlite_where=text("state = 'open'"),
          postgresql_where=text("state = 'open'")),
    Index("ix_issues_due", "next_try_at", sqlite_where=text("state = 'open'"),
          postgresql_where=text("state = 'open'")),
    sqlite_autoincrement=True,
)  # fmt: skip

cursors = Table(
    "cursors",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("side", Text, primary_key=True),
    Column("connection", Text, primary_key=True),
    Column("company", Text, primary_key=True),
    Column("mapping_variant", Text, primary_key=True),
    Column("value", Text, nullable=False),
    _time("at"),
)

hints = Table(
    "hints",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("connection", Text, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("company", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _time("at"),
    _time("last_at"),
    Column("count", Integer, nullable=False),
    Column("lane", Text, nullable=False, server_default="live"),
    Column("taken_by", Text),
    _time("not_before", nullable=True),
    Index("ix_hints_at", "flow", "at"),
)

guards = Table(
    "guards",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("flow", Text, nullable=False),
    Column("kind", Text, nullable=False),
    _time("at"),
    Column("count", Integer, nullable=False),
    Column("records_total", Integer, nullable=False),
    Index("ix_guards_window", "flow", "kind", "at"),
    sqlite_autoincrement=True,
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("flow", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("by", Text, nullable=False),
    _time("at"),
    Column("detail", Json),
    CheckConstraint("state IN ('asked', 'granted', 'refused', 'used')", name="state"),
    Index("uq_approvals_current", "flow", "subject", unique=True,
          sqlite_where=text("state IN ('asked', 'granted', 'refused')"),
          postgresql_where=text("state IN ('asked', 'granted', 'refused')")),
    sqlite_autoincrement=True,
)  # fmt: skip

flips = Table(
    "flips",
    metadata,
    Column("link_id", Id, ForeignKey("links.id", ondelete="CASCADE"), primary_key=True),
    Column("field", Text, primary_key=True),
    Column("history", Json, nullable=False),
    Column("quarantined", Boolean, nullable=False),
    _time("at"),
)

pauses = Table(
    "pauses",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("flow", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _time("at"),
    _time("until", nullable=True),
    Column("resumed_by", Text),
    _time("resumed_at", nullable=True),
    Index("uq_pauses_current", "flow", unique=True, sqlite_where=text("resumed_at IS NULL"),
          postgresql_where=text("resumed_at IS NULL")),
    sqlite_autoincrement=True,
)  # fmt: skip

requests = Table(
    "requests",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("by", Text, nullable=False),
    _time("at"),
    Column("count", Integer, nullable=False),
    CheckConstraint("what IN ('sync', 'sweep', 'subscribe')", name="what"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    _time("started_at"),
    _time("heartbeat_at"),
    _time("expires_at"),
    Column("stopping", Boolean, nullable=False),
    _time("ended_at", nullable=True),
    Column("taken_by", Text),
    Column("info", Json),
    Index("ix_workers_started", "started_at"),
)

# One column for the whole place: a page claims hundreds of them at a time.
claims = Table(
    "claims",
    metadata,
    Column("place", Text, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    _time("at"),
    Index("ix_claims_worker", "worker"),
)

portions = Table(
    "portions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("flow", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("taken_by", Text),
    Index("ix_portions_flow", "flow", "id"),
    sqlite_autoincrement=True,
)

schedules = Table("schedules", metadata, Column("flow", Text, primary_key=True), _time("at"))

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("object", Text, nullable=False),
    Column("company", Text, nullable=False),
    _time("expires", nullable=True),
    Column("version", Text),
    Column("address", Text, nullable=False),
    _time("at"),
)

statistics = Table(
    "statistics",
    metadata,
    Column("width", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, primary_key=True),
    Column("flow", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

proofs = Table(
    "proofs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("flow", Text, nullable=False),
    Column("by", Text, nullable=False),
    _time("started_at"),
    _time("seen_at"),
    _time("finished_at", nullable=True),
    Column("state", Text, nullable=False),
    Column("read", BigInteger, nullable=False),
    Column("proven", Boolean),
    Column("result", Json),
    _text("error"),
    CheckConstraint("state IN ('running', 'done', 'failed')", name="state"),
    Index("ix_proofs_flow", "flow", "id"),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("mark", Text, nullable=False),
    _time("created_at"),
    _time("seen_at"),
    _time("expires_at"),
    _text("address"),
    _text("agent"),
    Index("ix_sessions_expires", "expires_at"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("count", Integer, nullable=False),
    _time("since"),
    Column("state", Text, nullable=False),
    _time("told_at", nullable=True),
    Column("told_count", Integer, nullable=False),
    CheckConstraint("state IN ('waiting', 'told', 'over')", name="state"),
)

alert_channels = Table(
    "alert_channels",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("held_by", Text, nullable=False),
    _time("held_until"),
    _time("not_before"),
    Column("failures", Integer, nullable=False),
    Column("error", Text, nullable=False),
)
