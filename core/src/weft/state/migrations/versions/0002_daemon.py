"""What a daemon and its workers share: pauses, requests, workers, claims, schedules, subscriptions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the tables; links say when they were settled, hints in which lane and by whom they are worked on."""
    op.drop_table("leases")
    op.add_column("links", sa.Column("settled", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("worker", sa.Text(), nullable=True))
    op.add_column("hints", sa.Column("lane", sa.Text(), nullable=False, server_default="live"))
    op.add_column("hints", sa.Column("taken_by", sa.Text(), nullable=True))
    op.add_column("hints", sa.Column("not_before", Time, nullable=True))
    op.create_table(
        "pauses",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("until", Time, nullable=True),
        sa.Column("resumed_by", sa.Text(), nullable=True),
        sa.Column("resumed_at", Time, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pauses")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_pauses_current",
        "pauses",
        ["flow"],
        unique=True,
        sqlite_where=sa.text("resumed_at IS NULL"),
        postgresql_where=sa.text("resumed_at IS NULL"),
    )
    op.create_table(
        "requests",
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.CheckConstraint("what IN ('sync', 'sweep', 'subscribe')", name=op.f("ck_requests_what")),
        sa.PrimaryKeyConstraint("flow", "what", name=op.f("pk_requests")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("started_at", Time, nullable=False),
        sa.Column("heartbeat_at", Time, nullable=False),
        sa.Column("expires_at", Time, nullable=False),
        sa.Column("stopping", sa.Boolean(), nullable=False),
        sa.Column("ended_at", Time, nullable=True),
        sa.Column("taken_by", sa.Text(), nullable=True),
        sa.Column("info", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index("ix_workers_started", "workers", ["started_at"], unique=False)
    op.create_table(
        "claims",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_claims")),
    )
    op.create_index("ix_claims_worker", "claims", ["worker"], unique=False)
    op.create_table(
        "schedules",
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("flow", name=op.f("pk_schedules")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("expires", Time, nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name=op.f("pk_subscriptions")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE settlements")
