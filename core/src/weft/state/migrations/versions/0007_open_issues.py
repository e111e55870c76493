"""Open issues are found in their order without reading the closed ones, which are most in a long life."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("state = 'open'")
    op.create_index("ix_issues_open", "issues", ["id"], unique=False, sqlite_where=where, postgresql_where=where)
