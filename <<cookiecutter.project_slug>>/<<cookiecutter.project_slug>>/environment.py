"""The base class of all settings, which reports every invalid variable in one line."""

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

from .logging import init, is_set_up
from .settings_errors import describe


class EnvironmentSettings(BaseSettings):
    """Settings of one concern: read from the environment and `.env`, checked as a whole.

    The description of a field completes the sentence "it must be ..." of an error. Values of fields
    with a secret name or a secret type are never shown.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    @classmethod
    def load(cls) -> Self:
        """Return the settings that the environment gives.

        Raises:
            SystemExit: a variable has a bad value; one line says which and what is allowed.
        """
        if not is_set_up():
            init()
        logging.getLogger("dotenv.main").addFilter(_first_time)
        try:
            return cls()
        except ValidationError as error:
            problems = describe(cls, error.errors(include_url=False))
        except SettingsError as error:
            problems = [str(error)]
        except (OSError, UnicodeError) as error:
            problems = [f".env cannot be read: {error}"]
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
        """Leave invalid JSON to the validation, which reports all variables at once."""
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


_said: set[str] = set()


def _first_time(record: logging.LogRecord) -> bool:
    """Drop repeated warnings of python-dotenv: each settings class reads `.env` again."""
    known = record.getMessage() in _said
    _said.add(record.getMessage())
    return not known
