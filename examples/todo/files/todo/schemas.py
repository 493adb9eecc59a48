"""What clients send and get."""

import re
from datetime import date, datetime
from typing import Annotated
from unicodedata import category

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic_core import PydanticCustomError


def _one_kind_of_line_end(value: object) -> object:
    """Return text with `\\n` only: browsers send `\\r\\n`, and count it as one character."""
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value


def _no_control_characters(value: str) -> str:
    """Refuse what no one types; PostgreSQL cannot store NUL."""
    if any(category(character) == "Cc" for character in value if character not in "\n\t"):
        raise ValueError("must have no control characters")
    return value


def _one_line(value: str) -> str:
    if len(value.splitlines()) > 1:
        raise ValueError("must be one line")
    return value


def _visible(value: str) -> str:
    """Refuse spaces and marks without a width, such as U+200B: a page could not show the title."""
    if all(character.isspace() or category(character) == "Cf" for character in value):
        raise PydanticCustomError("invisible", "must have a visible character")
    return value


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _iso_date(value: object) -> object:
    """Refuse numbers, which pydantic takes for seconds since 1970."""
    if not (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        raise ValueError("must be a date such as 2030-12-31")
    return value


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    BeforeValidator(_one_kind_of_line_end),
    AfterValidator(_no_control_characters),
]
Title = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=30),
    AfterValidator(_one_line),
    AfterValidator(_visible),
]
# What every database can store as the number of a row.
Id = Annotated[int, Field(ge=1, lt=2**31), BeforeValidator(_no_boolean)]
DueDate = Annotated[date, Field(ge=date(2000, 1, 1)), BeforeValidator(_iso_date)]


class TaskIn(BaseModel):
    """A task as a client sends it."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    description: Annotated[Text, StringConstraints(max_length=1000)] = ""
    priority_id: Id
    due_date: DueDate


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
