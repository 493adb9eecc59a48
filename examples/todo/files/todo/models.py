"""The tables."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, ForeignKey, MetaData, String, TypeDecorator
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeEngine

# Names for constraints and indexes, so that migrations can change them on every database.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A time with a zone in Python, stored as UTC without one: not every database has zones."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Keep microseconds on MySQL and MariaDB too."""
        kind = mysql.DATETIME(fsp=6) if dialect.name in ("mysql", "mariadb") else DateTime()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Add the zone."""
        return value and value.replace(tzinfo=UTC)


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """What all tables have."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: UtcDateTime}

    created_at: Mapped[datetime] = mapped_column(default=now, sort_order=1)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now, sort_order=1)


class Priority(Base):
    """How urgent a task is; the first is the most urgent."""

    __tablename__ = "priorities"

    id: Mapped[int] = mapped_column(primary_key=True)
    priority: Mapped[str] = mapped_column(String(255), unique=True)


class Task(Base):
    """Something to do; a deleted one is disabled."""

    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(30))
    description: Mapped[str] = mapped_column(String(1000))
    priority_id: Mapped[int] = mapped_column(ForeignKey(Priority.id))
    due_date: Mapped[date] = mapped_column(index=True)
    completed_at: Mapped[datetime | None] = mapped_column(sort_order=2)
    is_disabled: Mapped[bool] = mapped_column(default=False, sort_order=2)

    priority: Mapped[Priority] = relationship(lazy="joined", innerjoin=True)

    @property
    def is_overdue(self) -> bool:
        """Whether the task is open and its due date has passed."""
        return self.completed_at is None and self.due_date < date.today()
