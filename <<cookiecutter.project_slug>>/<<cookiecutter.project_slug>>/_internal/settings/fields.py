"""The variables and the types of settings."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, AliasPath, BaseModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from ..log.secret_names import is_secret

_SECRET_TYPES = (Secret, SecretBytes, SecretStr)


def find_field(model: type[BaseModel], key: str) -> tuple[str, FieldInfo | None]:
    """Return the name and the field that `key` sets: its name or an alias."""
    for name, field in model.model_fields.items():
        if key == name or key in aliases(field):
            return name, field
    return key, None


def aliases(field: FieldInfo) -> Iterator[str]:
    """Yield the names that replace the field name in the environment."""
    alias = field.validation_alias
    for choice in alias.choices if isinstance(alias, AliasChoices) else [alias]:
        if choice:
            yield str(choice.path[0]) if isinstance(choice, AliasPath) else choice


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in a type: Model of `list[Model] | None`."""
    return (found for found in _types(annotation) if issubclass(found, BaseModel))


def has_type(annotation: Any, *types: type) -> bool:
    """Return whether one of `types` is in a type: int in `list[int] | None`."""
    return any(issubclass(found, types) for found in _types(annotation))


def has_keys(annotation: Any) -> bool:
    """Return whether values of this type can have keys or fields that are not those of a model."""
    return any(issubclass(found, dict) or is_dataclass(found) for found in _types(annotation))


def hides(annotation: Any, known: frozenset[type] = frozenset()) -> bool:
    """Return whether a value of this type is a secret or has a secret field."""
    return any(
        issubclass(found, _SECRET_TYPES)
        or any(
            is_secret(name) or hides(inner, known | {found})
            for name, inner in _members(found)
            if found not in known
        )
        for found in _types(annotation)
    )


def _types(annotation: Any) -> Iterator[type]:
    """Yield the classes of a type: list, Model and NoneType of `list[Model] | None`."""
    annotation = getattr(annotation, "__value__", annotation)  # of a `type` statement
    for found in (annotation, get_origin(annotation)):
        if isinstance(found, type):
            yield found
    for argument in get_args(annotation):
        yield from _types(argument)


def _members(model: type) -> Iterator[tuple[str, Any]]:
    """Yield the names and types of the fields of a model, dataclass or TypedDict."""
    if issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield name, field.annotation
    elif is_dataclass(model) or hasattr(model, "__required_keys__"):  # a TypedDict
        yield from get_type_hints(model, include_extras=True).items()
