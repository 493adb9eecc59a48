"""Validation errors as they may be logged: what was sent under a secret name is masked."""

from collections.abc import Mapping, Sequence
from typing import Any

from .encoding import Encoder
from .redaction import MASK, is_secret, scrub


def plain_errors(
    errors: Sequence[Mapping[str, Any]], *, body: object = None, with_input: bool = True
) -> list[dict[str, Any]]:
    """Return pydantic's `errors` as plain JSON types.

    The message of a validator often quotes the value, and the input of a missing field is the whole
    body. So an error of a secret field keeps its type and place only, and the secrets of the body
    are masked in every other error too.

    Args:
        errors: dictionaries with `type`, `loc`, `msg`, `input` and perhaps `ctx`.
        body: what was validated, searched for secrets.
        with_input: whether the inputs are kept.
    """
    encoder = Encoder()
    encoder.plain(body)
    plain = [_plain_error(error, encoder, with_input) for error in errors]
    return [_scrubbed(error, encoder.secrets) for error in plain]


def _plain_error(error: Mapping[str, Any], encoder: Encoder, with_input: bool) -> dict[str, Any]:
    kept = {name: value for name, value in error.items() if with_input or name != "input"}
    if any(isinstance(part, str) and is_secret(part) for part in error.get("loc", ())):
        encoder.item("secret", error.get("input"))
        kept |= dict.fromkeys(kept.keys() & {"msg", "input", "ctx"}, MASK)
    return {name: encoder.plain(value) for name, value in kept.items()}


def _scrubbed(value: Any, secrets: set[str]) -> Any:
    if isinstance(value, str):
        return scrub(value, secrets)
    if isinstance(value, list):
        return [_scrubbed(item, secrets) for item in value]
    if isinstance(value, dict):
        return {name: _scrubbed(item, secrets) for name, item in value.items()}
    return value
