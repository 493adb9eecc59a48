"""Who is told of every exchange beside the log, from the same measurement. At first nobody is."""

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.types import Scope


class Observer(Protocol):
    """Hears of requests and of WebSockets; `scope["type"]` tells which. It must not raise."""

    def began(self, scope: Scope) -> None:
        """Hear that one has come in."""

    def ended(self, scope: Scope, fields: Mapping[str, Any], error: BaseException | None) -> None:
        """Hear what its line in the log tells, at the moment that the line is written."""

    def failed_after(self, scope: Scope, error: BaseException) -> None:
        """Hear that it failed when its line was written already, in a background task for instance."""


observers: list[Observer] = []
