"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A migration stands by itself: what it makes must not change when weft.state.types does.
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Create every table; make the journal append-only."""
    op.create_table(
        "approvals",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('asked', 'granted', 'refused', 'used')", name=op.f("ck_approvals_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_approvals_current",
        "approvals",
        ["flow", "subject"],
        unique=True,
        sqlite_where=sa.text("state IN ('asked', 'granted', 'refused')"),
        postgresql_where=sa.text("state IN ('asked', 'granted', 'refused')"),
    )
    op.create_table(
        "cursors",
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("mapping_variant", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("flow", "side", "connection", "company", "mapping_variant", name=op.f("pk_cursors")),
    )
    op.create_table(
        "guards",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("records_total", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guards")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_guards_window", "guards", ["flow", "kind", "at"], unique=False)
    op.create_table(
        "hints",
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("last_at", Time, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("flow", "connection", "object", "company", "key", name=op.f("pk_hints")),
    )
    op.create_index("ix_hints_at", "hints", ["flow", "at"], unique=False)
    op.create_table(
        "intents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("link_id", Id, nullable=True),
        sa.Column("own_key", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("sent_at", Time, nullable=True),
        sa.Column("settle_after", Time, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("result_key", sa.Text(), nullable=True),
        sa.CheckConstraint("side IN ('left', 'right')", name=op.f("ck_intents_side")),
        sa.CheckConstraint("state IN ('open', 'in_doubt', 'done', 'abandoned')", name=op.f("ck_intents_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intents")),
    )
    op.create_index(
        "ix_intents_settled",
        "intents",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('done', 'abandoned')"),
        postgresql_where=sa.text("state IN ('done', 'abandoned')"),
    )
    op.create_index(
        "ix_intents_unsettled",
        "intents",
        ["flow", "connection", "source_key"],
        unique=False,
        sqlite_where=sa.text("state IN ('open', 'in_doubt')"),
        postgresql_where=sa.text("state IN ('open', 'in_doubt')"),
    )
    op.create_table(
        "issues",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), server_default="", nullable=False),
        sa.Column("connection", sa.Text(), server_default="", nullable=False),
        sa.Column("company", sa.Text(), server_default="", nullable=False),
        sa.Column("object", sa.Text(), server_default="", nullable=False),
        sa.Column("key", sa.Text(), server_default="", nullable=False),
        sa.Column("link_id", Id, nullable=True),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("choices", sa.Text(), nullable=True),
        sa.Column("edited", sa.Text(), nullable=True),
        sa.Column("waits_entity", sa.Text(), nullable=True),
        sa.Column("waits_connection", sa.Text(), nullable=True),
        sa.Column("waits_key", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", Time, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.Column("opened_at", Time, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.Column("closed_at", Time, nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed', 'skipped')", name=op.f("ck_issues_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issues")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_issues_due",
        "issues",
        ["next_try_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_issues_record", "issues", ["flow", "key", "state"], unique=False)
    op.create_index(
        "ix_issues_waits",
        "issues",
        ["waits_key", "waits_entity"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "uq_issues_open",
        "issues",
        ["flow", "kind", "side", "connection", "company", "object", "key"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires", Time, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "links",
        sa.Column("id", Id, autoincrement=False, nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("left_connection", sa.Text(), nullable=False),
        sa.Column("left_company", sa.Text(), nullable=False),
        sa.Column("left_object", sa.Text(), nullable=False),
        sa.Column("left_key", sa.Text(), nullable=False),
        sa.Column("left_variant", sa.Text(), nullable=False),
        sa.Column("right_connection", sa.Text(), nullable=False),
        sa.Column("right_company", sa.Text(), nullable=False),
        sa.Column("right_object", sa.Text(), nullable=False),
        sa.Column("right_key", sa.Text(), nullable=False),
        sa.Column("right_variant", sa.Text(), nullable=False),
        sa.Column("left_base", sa.Text(), nullable=True),
        sa.Column("right_base", sa.Text(), nullable=True),
        sa.Column("left_print", sa.Text(), nullable=True),
        sa.Column("right_print", sa.Text(), nullable=True),
        sa.Column("left_version", sa.Text(), nullable=True),
        sa.Column("right_version", sa.Text(), nullable=True),
        sa.Column("left_changed_at", Time, nullable=True),
        sa.Column("right_changed_at", Time, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("follow", sa.Boolean(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('linked', 'review', 'left_gone', 'right_gone', 'broken')", name=op.f("ck_links_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint(
            "entity",
            "left_connection",
            "left_key",
            "left_object",
            "left_company",
            "right_connection",
            "right_company",
            name="uq_links_left",
        ),
        sa.UniqueConstraint(
            "entity",
            "right_connection",
            "right_key",
            "right_object",
            "right_company",
            "left_connection",
            "left_company",
            name="uq_links_right",
        ),
    )
    op.create_index(
        "ix_links_follow",
        "links",
        ["id"],
        unique=False,
        sqlite_where=sa.text("follow"),
        postgresql_where=sa.text("follow"),
    )
    op.create_index(
        "ix_links_odd",
        "links",
        ["state", "id"],
        unique=False,
        sqlite_where=sa.text("state <> 'linked'"),
        postgresql_where=sa.text("state <> 'linked'"),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("started_at", Time, nullable=False),
        sa.Column("finished_at", Time, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=True),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("journal_rows", sa.Integer(), server_default="0", nullable=False),
        sa.Column("journal_tip", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_flow", "runs", ["flow", "started_at"], unique=False)
    op.create_index("ix_runs_started", "runs", ["started_at", "id"], unique=False)
    op.create_table(
        "aliases",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("link_id", Id, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_aliases_link_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("entity", "connection", "key", "object", "company", name=op.f("pk_aliases")),
    )
    op.create_index("ix_aliases_link_id", "aliases", ["link_id"], unique=False)
    op.create_table(
        "child_links",
        sa.Column("link_id", Id, nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("left_key", sa.Text(), nullable=True),
        sa.Column("right_key", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_child_links_link_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("link_id", "collection", "id", name=op.f("pk_child_links")),
    )
    op.create_table(
        "flips",
        sa.Column("link_id", Id, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("history", sa.Text(), nullable=False),
        sa.Column("quarantined", sa.Boolean(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_flips_link_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("link_id", "field", name=op.f("pk_flips")),
    )
    op.create_table(
        "intent_steps",
        sa.Column("intent_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("at", Time, nullable=False),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["intents.id"], name=op.f("fk_intent_steps_intent_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("intent_id", "step", name=op.f("pk_intent_steps")),
    )
    op.create_table(
        "journal",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("link_id", Id, nullable=True),
        sa.Column("left_key", sa.Text(), nullable=True),
        sa.Column("right_key", sa.Text(), nullable=True),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_journal_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sa.UniqueConstraint("run_id", "seq", name="uq_journal_run"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_left", "journal", ["left_key", "id"], unique=False)
    op.create_index("ix_journal_link", "journal", ["link_id", "id"], unique=False)
    op.create_index("ix_journal_right", "journal", ["right_key", "id"], unique=False)

    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER journal_no_{verb.lower()} BEFORE {verb} ON journal "
                "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )
        return
    op.execute("CREATE SEQUENCE link_ids")
    op.execute(
        "CREATE FUNCTION weft_journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal "
        "FOR EACH STATEMENT EXECUTE FUNCTION weft_journal_is_append_only()"
    )
