"""Settings of every service: log, server, trusted proxies, redaction and API docs."""

import json
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from ..log.fields import REQUEST_FIELDS, RESERVED
from ..log.setup import configure
from .environment import EnvironmentSettings

Network = IPv4Network | IPv6Network
# Bytes of JSON. Every log line contains them and needs room for its other fields.
LOG_FIELDS_LIMIT = 2_000


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
        str, Field(description="the name of a Pygments style, such as monokai")
    ] = "github-dark"

    @field_validator("pygments_style")
    @classmethod
    def _is_known_style(cls, style: str, info: ValidationInfo) -> str:
        # Only development uses Pygments; import it only there.
        if info.data.get("env") == "development":
            from pygments.styles import get_style_by_name

            get_style_by_name(style)
        return style


def configure_log(settings: ServiceSettings) -> None:
    """Hand the log its level, its constant fields, its colours and more secret names."""
    configure(
        level=settings.log_level,
        fields=settings.log_fields,
        pygments_style=settings.pygments_style if settings.env == "development" else None,
        secret_names=settings.redact,
    )
