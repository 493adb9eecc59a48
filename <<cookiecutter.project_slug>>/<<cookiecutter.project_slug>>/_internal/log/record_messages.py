"""The message of a standard-library record."""

import logging
from collections.abc import Mapping

from .jsonable import Shown, scrubbed_text
from .secret_names import MASK, is_secret
from .texts import to_text


def record_message(record: logging.LogRecord) -> str:
    """Return the message of a record, with the secrets of its objects masked."""
    if type(record).getMessage is not logging.LogRecord.getMessage:  # a custom LogRecord
        return record.getMessage()
    if not record.args:
        return scrubbed_text(record.msg)
    message, args = to_text(record.msg), record.args
    return message % (_Named(args) if isinstance(args, Mapping) else tuple(map(_argument, args)))


class _Named(Shown):
    """Arguments of a format with names, such as `%(user)s`."""

    def __getitem__(self, name: str) -> object:
        return MASK if is_secret(name) else _argument(self.value[name])


def _argument(value: object) -> object:
    return value if isinstance(value, str | int | float) else Shown(value)
