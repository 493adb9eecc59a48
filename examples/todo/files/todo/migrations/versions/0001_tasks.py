"""The tables, and three priorities."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from todo.models import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    priorities = op.create_table(
        "priorities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("priority", sa.String(255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_priorities"),
        sa.UniqueConstraint("priority", name="uq_priorities_priority"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(30), nullable=False),
        sa.Column("description", sa.String(1000), nullable=False),
        sa.Column("priority_id", sa.Integer(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.ForeignKeyConstraint(["priority_id"], ["priorities.id"], name="fk_tasks_priority_id"),
    )
    now = datetime.now(UTC)
    op.bulk_insert(
        priorities,
        [
            {"priority": priority, "created_at": now, "updated_at": now}
            for priority in ("High", "Normal", "Low")
        ],
    )


def downgrade() -> None:
    """Remove the tables."""
    op.drop_table("tasks")
    op.drop_table("priorities")
