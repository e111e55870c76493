"""Issues say which of a record's several counterparts they are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PLACE = ["flow", "kind", "side", "connection", "company", "object", "key"]


def upgrade() -> None:
    """Add ``target``; one open issue of a kind per record becomes one per record and target."""
    op.add_column("issues", sa.Column("target", sa.Text(), nullable=False, server_default=""))
    op.drop_index("uq_issues_open", "issues")
    only = sa.text("state = 'open'")
    op.create_index(
        "uq_issues_open", "issues", [*_PLACE, "target"], unique=True, sqlite_where=only, postgresql_where=only
    )
