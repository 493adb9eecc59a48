"""Describe invalid settings: the variable, its value, and what it must be.

No sentence contains the value of a secret variable: one with a secret name or a secret type such as
`SecretStr`. Messages of validators can quote the value, so they are omitted for these variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, AliasPath, BaseModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from ..log.known_secrets import texts_of
from ..log.redaction import redact
from ..log.secret_names import MASK, is_secret

_VALUE_LIMIT = 200
_SECRET_TYPES = (Secret, SecretBytes, SecretStr)
# Types of errors for text that is not valid JSON.
_NOT_JSON = frozenset(
    {"dict_type", "frozen_set_type", "list_type", "model_type", "set_type", "tuple_type"}
)


class _Place(NamedTuple):
    """The variable of an error, the description of its field, and how to show its value."""

    name: str
    description: str | None
    secret: bool
    part: bool  # the error is in a part of the value


def describe(settings: type[BaseSettings], errors: Sequence[ErrorDetails]) -> list[str]:
    """Return a sentence for each problem, without the full stop."""
    sentences = [
        _sentence(_place(settings, bad["loc"]), bad)
        if bad["loc"]
        else _without_secrets(_message(bad), settings, bad["input"])
        for bad in errors
        # A default that depends on another invalid variable.
        if bad["type"] != "default_factory_not_called"
    ]
    return [*dict.fromkeys(sentences)]


def _sentence(place: _Place, bad: ErrorDetails) -> str:
    allowed = f"it must be {place.description}" if place.description else ""
    if bad["type"] == "missing":  # pydantic's input is then all other values
        return f"{place.name} is missing" + (f"; {allowed}" if allowed else "")
    verb = "contains" if place.part else "is"
    if place.secret:
        reason = allowed or f"it is not valid ({bad['type']})"
        return f"{place.name} {verb} {MASK}; {reason}"
    return f"{place.name} {verb} {_shown(bad['input'])}; {allowed or _message(bad)}"


def _shown(value: object) -> str:
    text = redact(repr(value))
    return text if len(text) <= _VALUE_LIMIT else f"{text[:_VALUE_LIMIT]}…"


def _message(bad: ErrorDetails) -> str:
    """Return the message of pydantic, or of the validator that raised."""
    message = redact(bad["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, "))
    if message.startswith("Input should "):
        message = message.replace("Input should ", "it must ", 1)
    return f"{message} in JSON" if bad["type"] in _NOT_JSON else message


def _without_secrets(message: str, settings: type[BaseSettings], values: object) -> str:
    """Mask the secret values in the message of a model validator, which receives all of them."""
    given = values.items() if isinstance(values, dict) else ()
    secrets = [
        text
        for key, value in given
        if _place(settings, (key,)).secret
        for text in filter(None, texts_of(value))
    ]
    for text in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        message = message.replace(text, MASK)
    return message


# --- The field of an error


def _place(settings: type[BaseSettings], location: Sequence[int | str]) -> _Place:
    """Follow the location of an error through nested models."""
    key, *rest = map(str, location)
    name, field = _field(settings, key)
    annotation: Any = field.annotation if field else None
    steps = [key]
    secret = is_secret(key) or is_secret(name)
    for part in rest:
        inner = next(filter(None, (_field(model, part)[1] for model in _models(annotation))), None)
        if inner:
            field, annotation = inner, inner.annotation
            steps.append(part)
        secret = secret or is_secret(part)
    return _Place(
        name=_variable(settings, steps, is_alias=key != name),
        description=field.description if field else None,
        secret=secret or _hides(annotation),
        part=any(isinstance(part, int) for part in location),
    )


def _field(model: type[BaseModel], key: str) -> tuple[str, FieldInfo | None]:
    for name, field in model.model_fields.items():
        if key == name or key in _aliases(field):
            return name, field
    return key, None


def _aliases(field: FieldInfo) -> Iterator[object]:
    """Yield the names that replace the field name in the environment."""
    alias = field.validation_alias
    for choice in alias.choices if isinstance(alias, AliasChoices) else [alias]:
        yield choice.path[0] if isinstance(choice, AliasPath) else choice


def _variable(settings: type[BaseSettings], steps: Sequence[str], *, is_alias: bool) -> str:
    """Return the name of the variable to set, followed by the path inside its value."""
    config = settings.model_config
    prefix = "" if is_alias else config.get("env_prefix", "")
    delimiter = config.get("env_nested_delimiter")
    variable, *inside = [delimiter.join(steps)] if delimiter else steps
    name = prefix + variable
    return ".".join([name if config.get("case_sensitive") else name.upper(), *inside])


# --- The type of a field


def _types(annotation: Any) -> Iterator[type]:
    """Yield the classes of a type: list, Model and NoneType of `list[Model] | None`."""
    annotation = getattr(annotation, "__value__", annotation)  # of a `type` statement
    for found in (annotation, get_origin(annotation)):
        if isinstance(found, type):
            yield found
    for argument in get_args(annotation):
        yield from _types(argument)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    return (found for found in _types(annotation) if issubclass(found, BaseModel))


def _hides(annotation: Any, known: frozenset[type] = frozenset()) -> bool:
    """Return whether a value of this type is a secret or has a secret field."""
    return any(
        issubclass(found, _SECRET_TYPES)
        or any(
            is_secret(name) or _hides(inner, known | {found})
            for name, inner in _members(found)
            if found not in known
        )
        for found in _types(annotation)
    )


def _members(model: type) -> Iterator[tuple[str, Any]]:
    """Yield the names and types of the fields of a model, dataclass or TypedDict."""
    if issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield name, field.annotation
    elif is_dataclass(model) or hasattr(model, "__required_keys__"):  # a TypedDict
        yield from get_type_hints(model, include_extras=True).items()
