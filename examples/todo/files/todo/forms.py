"""The form of a task: what was typed, and what is wrong with it in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from .schemas import TaskIn, TaskOut

FIELDS = ("title", "description", "priority_id", "due_date")
# A field and pydantic's type of error, or None for all other types.
MESSAGES = {
    ("title", "too_long"): "The title can have {max_length} characters at most.",
    ("title", "value_error"): "The title must be one line without control characters.",
    ("title", None): "Enter a title.",
    ("description", "too_long"): "The description can have {max_length} characters at most.",
    ("description", None): "The description must be text without control characters.",
    ("priority_id", None): "Choose a priority.",
    ("due_date", "greater_than_equal"): "The due date must be {ge} or later.",
    ("due_date", None): "Enter a due date, such as 2030-12-31.",
}


@dataclass
class TaskForm:
    """The texts of the fields, and the message beside each bad one."""

    values: Mapping[str, str]
    errors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep the fields of a task alone, all of them."""
        self.values = {name: self.values.get(name, "") for name in FIELDS}

    @classmethod
    def of(cls, task: TaskOut) -> "TaskForm":
        """Return the form of a stored task."""
        values = {name: str(getattr(task, name)) for name in ("title", "description", "due_date")}
        return cls(values | {"priority_id": str(task.priority.id)})

    def validate(self) -> TaskIn | None:
        """Return the task, or None with messages in `errors`."""
        try:
            return TaskIn.model_validate(self.values)
        except ValidationError as error:
            for found in error.errors():
                name = str(found["loc"][0])
                kind = found["type"].removeprefix("string_")
                message = MESSAGES.get((name, kind)) or MESSAGES[name, None]
                self.errors.setdefault(name, message.format_map(found.get("ctx", {})))
            return None

    @property
    def first_error(self) -> str | None:
        """Return the name of the first bad field."""
        return next((name for name in FIELDS if name in self.errors), None)
