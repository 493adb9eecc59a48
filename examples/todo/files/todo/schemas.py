"""What clients send and get."""

from datetime import date, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)


def _one_kind_of_line_end(value: object) -> object:
    """Return text with `\\n` only: browsers send `\\r\\n`, and count it as one character."""
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value


def _no_control_characters(value: str) -> str:
    """Refuse what no one types; PostgreSQL cannot store NUL."""
    if any(
        character < " " and character not in "\n\t" or character == "\x7f" for character in value
    ):
        raise ValueError("must have no control characters")
    return value


def _one_line(value: str) -> str:
    if "\n" in value:
        raise ValueError("must be one line")
    return value


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    BeforeValidator(_one_kind_of_line_end),
    AfterValidator(_no_control_characters),
]
Title = Annotated[Text, StringConstraints(min_length=1, max_length=30), AfterValidator(_one_line)]
# What every database can store as the number of a row.
Id = Annotated[int, Field(ge=1, lt=2**31)]


class TaskIn(BaseModel):
    """A task as a client sends it."""

    title: Title
    description: Annotated[Text, StringConstraints(max_length=1000)] = ""
    priority_id: Id
    due_date: Annotated[date, Field(ge=date(2000, 1, 1))]


class PriorityOut(BaseModel):
    """A priority."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    priority: str


class TaskOut(BaseModel):
    """A task as clients get it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    description: str
    priority: PriorityOut
    due_date: date
    is_overdue: bool
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class TaskPage(BaseModel):
    """Some of the tasks, and how many there are."""

    items: list[TaskOut]
    total: int
    limit: int
    offset: int
