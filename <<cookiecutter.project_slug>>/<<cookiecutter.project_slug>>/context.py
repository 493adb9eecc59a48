"""What is known of the request in progress: set by the middleware, read by whatever writes a line."""

from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestContext:
    """One request: its id, the fields bound to its lines, and whether its success is only for DEBUG."""

    request_id: str
    fields: dict[str, object] = field(default_factory=dict)
    quiet: bool = False


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)
