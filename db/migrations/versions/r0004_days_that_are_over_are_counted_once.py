"""Days that are over are counted once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("digests", sa.BigInteger(), nullable=False),
        sa.Column("likes", sa.BigInteger(), nullable=False),
        sa.Column("median_wait", sa.Integer(), nullable=True),
        sa.Column("high_wait", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_day")),
    )
