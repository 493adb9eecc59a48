"""Hooks called for every request and WebSocket with the fields of its log line."""

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.types import Scope


class RequestHook(Protocol):
    """Methods called for requests and WebSockets (see `scope["type"]`); they must not raise."""

    def on_start(self, scope: Scope) -> None:
        """Handle the start of a request."""

    def on_end(self, scope: Scope, fields: Mapping[str, Any], error: BaseException | None) -> None:
        """Handle the end of a request, just before its log line is written."""

    def on_late_error(self, scope: Scope, error: BaseException) -> None:
        """Handle an exception raised after the log line, for example by a background task."""


hooks: list[RequestHook] = []
