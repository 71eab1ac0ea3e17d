"""The table of what is left of records whose terms are over; the rows that were there before stay as they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "records_2"
down_revision = "records_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it."""
    op.create_table(
        "expired_records",
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
    )
