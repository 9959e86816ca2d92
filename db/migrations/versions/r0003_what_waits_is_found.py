"""What waits to be matched is found without looking through all papers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.drop_index("ix_paper_unmatched", table_name="paper")
    op.create_index(
        "ix_paper_unmatched",
        "paper",
        ["id"],
        unique=False,
        sqlite_where=sa.text("news = 1 AND batch_id IS NULL"),
        postgresql_where=sa.text("news AND batch_id IS NULL"),
    )
    op.drop_index("ix_paper_batch_id", table_name="paper")
    op.create_index(
        "ix_paper_batch_id",
        "paper",
        ["batch_id"],
        unique=False,
        sqlite_where=sa.text("batch_id IS NOT NULL"),
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.drop_index("ix_feedback_at", table_name="feedback")
    op.create_index("ix_feedback_said", "feedback", ["at", "opinion"], unique=False)
