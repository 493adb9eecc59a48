"""Types of the metrics settings."""

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

DEFAULT_HOST = "127.0.0.1"
DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(value.split(",")) if value.strip() else DEFAULT_BUCKETS


def _ascending(buckets: tuple[float, ...]) -> tuple[float, ...]:
    if not all(lower < upper for lower, upper in pairwise(buckets)):
        raise ValueError("not in ascending order")
    return buckets


Host = Annotated[
    str,
    BeforeValidator(lambda value: value or DEFAULT_HOST),
    Field(description="a host name or an IP address"),
]
OptionalPort = Annotated[
    Annotated[int, Field(ge=0, le=65535)] | None,
    BeforeValidator(lambda value: None if value == "" else value),
    Field(description="a whole number up to 65535, or empty for no metrics"),
]
Buckets = Annotated[
    tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...],
    NoDecode,
    BeforeValidator(_split),
    AfterValidator(_ascending),
    Field(
        min_length=1, description="seconds in ascending order, comma-separated, such as 0.1,1,10"
    ),
]
