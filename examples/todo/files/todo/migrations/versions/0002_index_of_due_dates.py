"""An index of the due dates: lists are sorted by them, and overdue tasks are counted often."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_tasks_due_date", "tasks", ["due_date"])


def downgrade() -> None:
    """Remove the index."""
    op.drop_index("ix_tasks_due_date", "tasks")
