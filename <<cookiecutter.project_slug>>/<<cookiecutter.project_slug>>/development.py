"""For `make dev`: coloured lines on a terminal, and a service that ends with its watcher."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import lru_cache
from typing import Any

import orjson
from pygments import highlight
from pygments.formatter import Formatter
from pygments.formatters import Terminal256Formatter
from pygments.lexers import JsonLexer

_LEXER = JsonLexer()


def colored(line: bytes, style: str) -> bytes:
    """Return a line of JSON indented and in the colours of the Pygments `style`.

    A text of several lines, such as a traceback, becomes a list of them: it can be read, and the
    whole is JSON still.
    """
    fields = {name: _split(value) for name, value in orjson.loads(line).items()}
    text = orjson.dumps(fields, option=orjson.OPT_INDENT_2).decode()
    return str(highlight(text, _LEXER, _formatter(style))).encode()


def _split(value: Any) -> Any:
    return value.splitlines() if isinstance(value, str) and "\n" in value.strip() else value


@lru_cache(maxsize=1)
def _formatter(style: str) -> Formatter[str]:
    return Terminal256Formatter(style=style)


def end_with_parent(interval: float = 0.5) -> None:
    """Send SIGTERM to this process when its parent has ended.

    watchfiles stops its child on SIGTERM and SIGINT only. After any other signal the service would
    stay alive and keep its port.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(interval)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end_with_parent", daemon=True).start()
