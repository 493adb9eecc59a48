"""Settings of every service: log, server, trusted proxies, redaction and API docs."""

import json
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from ..log.fields import REQUEST_FIELDS, RESERVED
from ..log.formats import DEFAULT_STYLE, LogFormat
from ..log.setup import Options, configure
from .environment import EnvironmentSettings

Network = IPv4Network | IPv6Network
# Bytes of JSON. Every log line contains them and needs room for its other fields.
LOG_FIELDS_LIMIT = 2_000
_LOGGER = re.compile(r"[\w.-]+")


def _any_case(*allowed: str) -> BeforeValidator:
    """Accept each of `allowed` in any case; leave other values unchanged."""
    by_lower = {name.lower(): name for name in allowed}
    return BeforeValidator(lambda value: by_lower.get(str(value).strip().lower(), value))


def _split(value: object) -> object:
    """Return the parts of a comma-separated list."""
    if not isinstance(value, str):
        return value
    return tuple(part for item in value.split(",") if (part := item.strip()))


def _networks(value: object) -> object:
    parts = _split(value)
    return tuple(map(ip_network, parts)) if isinstance(parts, tuple) else parts


def _levels(value: object) -> object:
    """Return the levels of `name=LEVEL,…` by name."""
    parts = _split(value)
    if not isinstance(parts, tuple):
        return value
    pairs = [part.partition("=") for part in parts]
    levels = {name.strip(): level.strip().upper() for name, _, level in pairs}
    if not all(_LOGGER.fullmatch(name) and levels[name] in get_args(Level) for name in levels):
        raise ValueError("not levels of loggers")
    return levels


def _log_fields(value: object) -> object:
    fields = json.loads(value) if isinstance(value, str) else value
    if isinstance(fields, dict) and not (RESERVED | REQUEST_FIELDS).isdisjoint(fields):
        raise ValueError("a name that the log itself uses")
    if len(json.dumps(fields, ensure_ascii=False).encode(errors="replace")) > LOG_FIELDS_LIMIT:
        raise ValueError("too long")
    return fields


Environment = Literal["production", "development", "testing"]
Level = Literal["TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"]
Seconds = Annotated[
    float,
    Field(ge=0, le=3600, allow_inf_nan=False, description="a number of seconds from 0 to 3600"),
]


class ServiceSettings(EnvironmentSettings):
    """Base class of `config.Settings`; docs/variables.md lists the variables."""

    env: Annotated[
        Environment,
        _any_case(*get_args(Environment)),
        Field(
            description="production, development or testing (a staging system is production;"
            " its name goes into LOG_FIELDS)"
        ),
    ] = "production"
    log_level: Annotated[
        Level,
        _any_case(*get_args(Level)),
        Field(description="TRACE, DEBUG, INFO, SUCCESS, WARNING, ERROR or CRITICAL"),
    ] = Field(default_factory=lambda data: "INFO" if data.get("env") == "production" else "DEBUG")
    log_levels: Annotated[
        dict[str, Level],
        NoDecode,
        BeforeValidator(_levels),
        Field(description="names of loggers with levels, such as httpx=WARNING,sqlalchemy=INFO"),
    ] = {}
    log_format: Annotated[
        LogFormat | None,
        _any_case(*get_args(LogFormat)),
        Field(description="json; with ENV=development also pretty or console"),
    ] = None
    log_fields: Annotated[
        dict[str, Any],
        NoDecode,
        BeforeValidator(_log_fields),
        Field(
            description='a JSON object such as {"service": "shop"} of at most 2,000 bytes,'
            " without names that the log itself uses"
        ),
    ] = {}
    host: Annotated[str, Field(description="a host name or an IP address")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="a whole number up to 65535")] = 8000
    root_path: Annotated[
        str, Field(pattern=r"^(/[^\s?#]*)?$", description="empty or a path that begins with /")
    ] = ""
    shutdown_delay: Seconds = 0
    shutdown_timeout: Seconds = 8
    trusted_proxies: Annotated[
        tuple[Network, ...],
        NoDecode,
        BeforeValidator(_networks),
        Field(description="IP addresses or networks such as 10.0.0.0/8, comma-separated"),
    ] = ()
    request_id_length: Annotated[
        int, Field(ge=1, le=96, description="a whole number of bytes from 1 to 96")
    ] = 8
    redact: Annotated[
        tuple[Annotated[str, Field(pattern=r"[^\W_]")], ...],
        NoDecode,
        BeforeValidator(_split),
        Field(description="names, comma-separated"),
    ] = ()
    docs: Annotated[bool, Field(description="true or false")] = True
    pygments_style: Annotated[
        str,
        Field(description=f"{DEFAULT_STYLE} or the name of a Pygments style, such as monokai"),
    ] = DEFAULT_STYLE

    @field_validator("log_format")
    @classmethod
    def _is_for_development(
        cls, log_format: LogFormat | None, info: ValidationInfo
    ) -> LogFormat | None:
        env = info.data.get("env", "development")  # an invalid one is reported already
        if log_format in ("pretty", "console") and env != "development":
            raise ValueError("only development has other formats than json")
        return log_format

    @field_validator("pygments_style")
    @classmethod
    def _is_known_style(cls, style: str, info: ValidationInfo) -> str:
        # Only development uses Pygments; import it only there.
        if info.data.get("env") == "development":
            from ..log.palette import formatter

            formatter(style)
        return style


def configure_log(settings: ServiceSettings) -> None:
    """Hand the log its levels, its format, its constant fields and more secret names."""
    options = Options(
        level=settings.log_level,
        levels=settings.log_levels,
        log_format=settings.log_format if settings.env == "development" else "json",
        pygments_style=settings.pygments_style,
    )
    configure(options, fields=settings.log_fields, secret_names=settings.redact)
