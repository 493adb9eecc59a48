"""Field names that JSON can represent."""

from collections.abc import Mapping

from .texts import READ_LIMIT, encodable, to_text, truncate

NAME_LIMIT = 128  # characters


def unused_name(name: str, taken: Mapping[str, object]) -> str:
    """Return `name`, with underscores appended until it is not in `taken`."""
    while name in taken:
        name += "_"
    return name


def key_text(key: object) -> str:
    """Return a mapping's key as valid JSON text, truncated at `NAME_LIMIT`."""
    if type(key) is str and len(key) <= NAME_LIMIT and key.isascii():
        return key
    if isinstance(key, bytes):
        key = key[:READ_LIMIT].decode("utf-8", "backslashreplace")
    text = key if type(key) is str else to_text(key)
    if len(text) > NAME_LIMIT:
        text = truncate(text, NAME_LIMIT)
    return encodable(text)
