"""Base class of all settings, which reports all invalid variables in one log line."""

import logging
import traceback
from collections.abc import Mapping
from typing import Any, Self

from loguru import logger
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from ..log.setup import begin
from .errors import describe
from .secret_files import collect_problems, read_secret_files


class EnvironmentSettings(BaseSettings):
    """Settings read from the environment and `.env`, validated together.

    The description of a field completes the sentence "it must be ..." of an error. Errors never
    show values of fields with a secret name or a secret type.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    @classmethod
    def load(cls) -> Self:
        """Return the settings from the environment and `.env`.

        Raises:
            SystemExit: a variable is invalid; one log line names it and what is allowed.
        """
        logging.getLogger("dotenv.main").addFilter(_first_time)
        with collect_problems() as files:
            try:
                settings = cls()
                problems: list[str] = []
            except ValidationError as error:
                problems = describe(cls, error.errors(include_url=False), files)
            except SettingsError as error:
                problems = [str(error)]
            except (OSError, UnicodeError) as error:
                if not _is_of_env_file(error):  # it is of a validator
                    raise
                problems = [f".env cannot be read: {error}"]
        if problems := [*files.errors.values(), *problems]:
            begin()
            logger.error("invalid settings: " + ". ".join(problems))
            raise SystemExit(1)
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read secrets from files; leave invalid JSON to validation, which reports all errors."""
        overriding: Mapping[str, str | None] = {}
        for source in (env_settings, dotenv_settings):
            _keep_undecoded(source)
            if isinstance(source, EnvSettingsSource):
                read_secret_files(source, overriding)
                overriding = source.env_vars
        return init_settings, env_settings, dotenv_settings, file_secret_settings


def _is_of_env_file(error: Exception) -> bool:
    """Return whether python-dotenv has raised the error."""
    modules = (
        frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    return any(name.partition(".")[0] == "dotenv" for name in modules)


def _keep_undecoded(source: PydanticBaseSettingsSource) -> None:
    """Make a source return invalid JSON as text instead of raising SettingsError."""
    decode = source.decode_complex_value

    def decode_or_keep(field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return decode(field_name, field, value)
        except ValueError:
            return value

    source.decode_complex_value = decode_or_keep  # type: ignore[method-assign]


_logged_warnings: set[str] = set()


def _first_time(record: logging.LogRecord) -> bool:
    """Drop repeated warnings of python-dotenv: each settings class reads `.env` again."""
    known = record.getMessage() in _logged_warnings
    _logged_warnings.add(record.getMessage())
    return not known
