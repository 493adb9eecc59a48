"""The current request: set by the middleware, read when a line is written."""

from contextvars import ContextVar
from dataclasses import dataclass, field

from starlette.types import Scope


@dataclass(slots=True, eq=False, weakref_slot=True)
class RequestContext:
    """One request: its id, its ASGI scope, the fields bound to its lines, whether it is quiet."""

    request_id: str
    scope: Scope = field(default_factory=dict)
    fields: dict[str, object] = field(default_factory=dict)
    quiet: bool = False


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)
