"""Portions of a first load, for every worker; keys of links can be searched by their beginning."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table. Keys are compared byte by byte: an index in the order of a language finds no beginnings."""
    op.create_table(
        "portions",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portions")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_portions_flow", "portions", ["flow", "id"], unique=False)
    if op.get_bind().dialect.name != "sqlite":  # whose order is that of the bytes
        op.execute('ALTER TABLE links ALTER left_key TYPE text COLLATE "C", ALTER right_key TYPE text COLLATE "C"')
