"""Base class of all settings, which reports all invalid variables in one log line."""

import logging
from typing import Any, Self

from loguru import logger
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from ..log.setup import begin
from .errors import describe


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
        try:
            return cls()
        except ValidationError as error:
            problems = describe(cls, error.errors(include_url=False))
        except SettingsError as error:
            problems = [str(error)]
        except (OSError, UnicodeError) as error:
            problems = [f".env cannot be read: {error}"]
        begin()
        logger.error("invalid settings: " + ". ".join(problems))
        raise SystemExit(1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave invalid JSON to validation, which reports all variables at once."""
        for source in (env_settings, dotenv_settings):
            _keep_undecoded(source)
        return init_settings, env_settings, dotenv_settings, file_secret_settings


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
