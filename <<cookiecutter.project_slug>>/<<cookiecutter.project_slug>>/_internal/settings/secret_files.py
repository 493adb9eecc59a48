"""Secrets in files: SHOP_TOKEN_FILE is the path of a file with the value of SHOP_TOKEN.

Container platforms mount secrets as files. Only settings with a secret name or a secret type can
come from one.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from loguru import logger
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, SettingsError

from ..log.secret_names import MASK, is_secret
from .errors import FileProblems, shown
from .fields import aliases, hides

# Names that other tools use for other things.
_COMMON = {"env", "host", "port"}
SIZE_LIMIT = 2**20  # bytes; no secret of Kubernetes is larger

Variables = Mapping[str, str | None]


class _Setting(NamedTuple):
    """The setting of a variable."""

    is_secret: bool
    is_required: bool


class _UnusableFile(ValueError):
    """Why a file cannot be the value of a setting."""


_problems: ContextVar[FileProblems | None] = ContextVar("_problems", default=None)


@contextmanager
def collect_problems() -> Iterator[FileProblems]:
    """Yield the problems with files inside the block, where errors are not raised."""
    problems = FileProblems({}, {})
    token = _problems.set(problems)
    try:
        yield problems
    finally:
        _problems.reset(token)


def read_secret_files(source: EnvSettingsSource, overriding: Variables) -> None:
    """Add to a source the variables whose values are in files.

    Args:
        source: the environment or `.env`.
        overriding: the variables of a source that overrides this one; their files are not read.

    Raises:
        SettingsError: a file cannot be used, outside of `collect_problems`.
    """
    suffix = "_FILE" if source.case_sensitive else "_file"
    place = ".env" if isinstance(source, DotEnvSettingsSource) else "the environment"
    variables = dict(source.env_vars)
    for key, path in source.env_vars.items():
        name = key.removesuffix(suffix)
        if not path or name == key or _find(source, key):
            continue
        if not (setting := _find(source, name)):
            continue
        del variables[key]
        variable = name if source.case_sensitive else name.upper()
        if overriding.get(name) is not None:
            continue
        if not setting.is_secret:
            if variables.get(name) is None:
                _say_not_read(variable, setting)
        elif variables.get(name) is not None:
            _report(variable, f"{variable} and {variable}_FILE are both set in {place}; set one")
        elif (text := _text(variable, path)) or not source.env_ignore_empty:
            variables[name] = text
    source.env_vars = variables


def _say_not_read(variable: str, setting: _Setting) -> None:
    reason = f"{variable} is not secret by its name, nor of a type such as SecretStr"
    message = f"{variable}_FILE is not read: {reason}"
    if setting.is_required:
        _hint(variable, message)
    elif variable.lower() not in _COMMON:
        logger.warning(message)


def _text(variable: str, path: str) -> str:
    """Return the text in the file of a variable; empty if the file is, or cannot be used."""
    try:
        text = _read(path)
    except _UnusableFile as error:
        _report(variable, f"{variable}_FILE is {_shown(path)}; {error}")
        return ""
    if not text:
        _hint(variable, f"{variable}_FILE is {_shown(path)}, an empty file")
    return text


def _report(variable: str, error: str) -> None:
    problems = _problems.get()
    if problems is None:
        raise SettingsError(error)
    problems.errors[variable] = error


def _hint(variable: str, hint: str) -> None:
    if problems := _problems.get():
        problems.hints[variable] = hint


# --- Files


def _read(path: str) -> str:
    """Return the text in a file, without one line ending at its end."""
    try:
        is_regular = "\0" not in path and stat.S_ISREG(os.stat(path).st_mode)
        if not is_regular:  # a pipe would block, a device never ends
            raise _UnusableFile("it must be the path of a regular file")
        with open(path, "rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise _UnusableFile(f"the file cannot be read: {error.strerror}") from None
    if len(content) > SIZE_LIMIT:
        raise _UnusableFile("the file must have at most 1 MiB")
    try:
        text = content.decode("utf-8-sig")  # without the mark that some editors put first
    except UnicodeDecodeError:
        raise _UnusableFile("the file must be text in UTF-8") from None
    if "\0" in text:
        raise _UnusableFile("the file must be text in UTF-8")
    return text.removesuffix("\n").removesuffix("\r")


def _shown(path: str) -> str:
    """Return a path for an error, masked where it can be the secret itself."""
    start = "/".join(path.replace(os.sep, "/").split("/")[: 2 if os.path.isabs(path) else 1])
    exists = start not in ("", "/") and "\0" not in start and os.path.lexists(start)
    return shown(path) if exists else MASK


# --- The setting of a variable


def _find(source: EnvSettingsSource, variable: str) -> _Setting | None:
    """Return the setting that a variable sets: a field, or a part of one after the delimiter."""
    delimiter = source.env_nested_delimiter
    for name, field in source.settings_cls.model_fields.items():
        for known in _variables(source, name, field):
            secret = is_secret(name) or is_secret(known)
            known = known if source.case_sensitive else known.lower()
            if variable == known:
                return _setting(field, secret)
            if delimiter and variable.startswith(known + delimiter):
                parts = variable.removeprefix(known + delimiter).split(delimiter)
                return _inner_setting(source, field, parts, secret)
    return None


def _variables(source: EnvSettingsSource, name: str, field: FieldInfo) -> Iterator[str]:
    yield from aliases(field)
    if not field.validation_alias or source.config.get("populate_by_name"):
        yield source.env_prefix + name


def _inner_setting(
    source: EnvSettingsSource, field: Any, parts: Sequence[str], secret: bool
) -> _Setting | None:
    for part in parts:
        field = source.next_field(field, part, source.case_sensitive)
        secret = secret or is_secret(part)
    # The values of a dictionary have any names, so none of them is a path.
    return _setting(field, secret) if isinstance(field, FieldInfo) else None


def _setting(field: FieldInfo, secret: bool) -> _Setting:
    return _Setting(secret or hides(field.annotation), field.is_required())
