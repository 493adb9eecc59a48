"""Describe invalid settings: the variable, its value, and what it must be.

No sentence contains the value of a secret variable: one with a secret name or a secret type such as
`SecretStr`. Messages of validators can quote the value, so they are omitted for these variables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from ..log.known_secrets import texts_of
from ..log.redaction import redact
from ..log.scrubbing import spellings
from ..log.secret_names import MASK, is_secret
from .fields import aliases, find_field, has_keys, has_type, hides, models

_VALUE_LIMIT = 200
# What to write where text is not the JSON that a type needs.
_LIST = 'it must be a valid list in JSON, such as ["a", "b"]'
_NUMBERS = "it must be a valid list in JSON, such as [1, 2]"
_OBJECT = 'it must be a valid object in JSON, such as {"%s": …}'
_LISTS = frozenset({"frozen_set_type", "list_type", "set_type", "tuple_type"})
_OBJECTS = frozenset({"dataclass_type", "dict_type", "model_attributes_type", "model_type"})
_SUBJECT = re.compile(r"[A-Z]\w*( \w+)? should ")
_OF_VALIDATORS = frozenset({"assertion_error", "value_error"})
# Errors whose messages quote no value.
_WITHOUT_VALUE = re.compile(
    r"(bool|float|int)_parsing|greater_than(_equal)?|less_than(_equal)?|multiple_of|finite_number"
    r"|(string|bytes)_too_(long|short)|too_(long|short)|string_pattern_mismatch|enum|literal_error"
    r"|(bool|bytes|decimal|float|int|string|url)_type|url_parsing|url_scheme|decimal_parsing"
)


class FileProblems(NamedTuple):
    """Sentences about files, by the variable that each file is for.

    Attributes:
        errors: files that cannot be used.
        hints: why a variable has no value although its file is named; not an error by itself.
    """

    errors: dict[str, str]
    hints: dict[str, str]


class _Place(NamedTuple):
    """The variables of an error, the description of its field, and how to show its value."""

    variables: tuple[str, ...]
    description: str | None
    annotation: Any
    secret: bool
    part: bool  # the error is in a part of the value

    @property
    def name(self) -> str:
        return " or ".join(self.variables)


def describe(
    settings: type[BaseSettings], errors: Sequence[ErrorDetails], files: FileProblems
) -> list[str]:
    """Return a sentence for each problem, without the full stop.

    Variables that are missing because of an error in `files` are omitted.
    """
    reasons: dict[str, list[str]] = {}  # the types of a union fail separately
    for bad in errors:
        if bad["type"] == "default_factory_not_called":  # it depends on another invalid variable
            continue
        if not bad["loc"]:
            reasons[_without_secrets(_message(bad), settings, bad["input"])] = []
            continue
        place = _place(settings, bad["loc"])
        if bad["type"] != "missing":
            reasons.setdefault(f"{place.name} {_value(place, bad)}", []).append(_reason(place, bad))
        elif files.errors.keys().isdisjoint(place.variables):
            hints = [files.hints[name] for name in place.variables if name in files.hints]
            reasons["; ".join([_missing(place, bad), *hints])] = []
    return ["; ".join(filter(None, (what, _either(why)))) for what, why in reasons.items()]


def _missing(place: _Place, bad: ErrorDetails) -> str:
    # pydantic's input is here all other values.
    missing = "has too few values" if isinstance(bad["loc"][-1], int) else "is missing"
    allowed = f"; it must be {place.description}" if place.description else ""
    return f"{place.name} {missing}{allowed}"


def _value(place: _Place, bad: ErrorDetails) -> str:
    verb = "contains" if place.part else "is"
    return f"{verb} {MASK if place.secret else shown(bad['input'])}"


def shown(value: object) -> str:
    """Return a value as an error shows it: short, with secrets in it masked."""
    text = redact(repr(value))
    return text if len(text) <= _VALUE_LIMIT else f"{text[:_VALUE_LIMIT]}…"


def _reason(place: _Place, bad: ErrorDetails) -> str:
    if place.description:
        return f"it must be {place.description}"
    if bad["type"] in _LISTS:
        numbers = has_type(place.annotation, int, float) and not has_type(place.annotation, str)
        return _NUMBERS if numbers else _LIST
    if bad["type"] in _OBJECTS:
        names = [name for model in models(place.annotation) for name in model.model_fields]
        return _OBJECT % next(iter(names), "name")
    message = _message(bad)
    if place.secret and not _WITHOUT_VALUE.fullmatch(bad["type"]):
        message = ""
    if place.secret and any(text and text in message for text in texts_of(bad["input"])):
        message = ""
    return message or f"it is not valid ({bad['type']})"


def _either(reasons: Sequence[str]) -> str:
    first, *others = [*dict.fromkeys(reasons)] or [""]
    return " or ".join([first, *(reason.removeprefix("it must ") for reason in others)])


def _message(bad: ErrorDetails) -> str:
    """Return the message of pydantic, or of the validator that raised."""
    message = bad["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if bad["type"] == "bool_parsing":
        return "it must be a valid boolean, such as true or false"
    if bad["type"] not in _OF_VALIDATORS:
        message = message.replace("URL scheme should be", "it must have the scheme")
        message = _SUBJECT.sub("it must ", message, count=1)
    return redact(message)


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
        for spelling in spellings(text):
            message = message.replace(spelling, MASK)
    return message


# --- The field of an error


def _place(settings: type[BaseSettings], location: Sequence[int | str]) -> _Place:
    """Follow the location of an error through nested models."""
    key, *rest = map(str, location)
    name, field = find_field(settings, key)
    annotation: Any = field.annotation if field else None
    keys = [*dict.fromkeys(aliases(field))] if field and key in aliases(field) else [key]
    steps: list[str] = []
    secret = is_secret(key) or is_secret(name)
    in_part = any(isinstance(part, int) for part in location)
    for part in rest:
        found = (find_field(model, part)[1] for model in models(annotation))
        if inner := next(filter(None, found), None):
            field, annotation = inner, inner.annotation
            steps.append(part)
        else:
            in_part = in_part or has_keys(annotation)
        secret = secret or is_secret(part)
    return _Place(
        variables=tuple(_variable(settings, [key, *steps], key != name) for key in keys),
        description=field.description if field else None,
        annotation=annotation,
        secret=secret or hides(annotation),
        part=in_part,
    )


def _variable(settings: type[BaseSettings], steps: Sequence[str], is_alias: bool) -> str:
    """Return the name of the variable to set, followed by the path inside its value."""
    config = settings.model_config
    prefix = "" if is_alias else config.get("env_prefix", "")
    delimiter = config.get("env_nested_delimiter")
    variable, *inside = [delimiter.join(steps)] if delimiter else steps
    name = prefix + variable
    return ".".join([name if config.get("case_sensitive") else name.upper(), *inside])
