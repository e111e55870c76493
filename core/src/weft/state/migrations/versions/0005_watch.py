"""What was told to whom, why a run stopped, and journals that are given up run by run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Time = sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the tables; entries of the journal may be deleted once their run is marked as pruned."""
    op.add_column("runs", sa.Column("error", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("pruned_at", Time, nullable=True))
    op.create_table(
        "alerts",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", Time, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("told_at", Time, nullable=True),
        sa.Column("told_count", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'told', 'over')", name=op.f("ck_alerts_state")),
        sa.PrimaryKeyConstraint("rule", "subject", "channel", name=op.f("pk_alerts")),
    )
    op.create_table(
        "alert_channels",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=False),
        sa.Column("held_until", Time, nullable=False),
        sa.Column("not_before", Time, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_alert_channels")),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER journal_no_delete")
        op.execute(
            "CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal "
            "WHEN (SELECT pruned_at FROM runs WHERE id = OLD.run_id) IS NULL "
            "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
        )
        return
    op.execute("DROP TRIGGER journal_append_only ON journal")
    op.execute(
        "CREATE TRIGGER journal_append_only BEFORE UPDATE OR TRUNCATE ON journal "
        "FOR EACH STATEMENT EXECUTE FUNCTION weft_journal_is_append_only()"
    )
    op.execute(
        "CREATE FUNCTION weft_journal_of_a_pruned_run() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN "
        "IF EXISTS (SELECT FROM runs WHERE id = OLD.run_id AND pruned_at IS NOT NULL) THEN RETURN OLD; END IF; "
        "RAISE EXCEPTION 'the journal is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal "
        "FOR EACH ROW EXECUTE FUNCTION weft_journal_of_a_pruned_run()"
    )
