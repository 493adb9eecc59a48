"""Probes for whatever watches over the service. Their successes are logged at DEBUG only."""

from fastapi import APIRouter, Response, status

from ..logging import bind_request, quiet_request
from ..resources import unavailable

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """Answer while the process serves; a failure means: restart it."""
    quiet_request()
    return {"status": "ok"}


@router.get("/ready")
async def ready(response: Response) -> dict[str, str]:
    """Answer 200 when requests can be taken; 503 means: send them elsewhere."""
    quiet_request()
    if problems := await unavailable():
        bind_request(unavailable=problems)
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return {"status": "unavailable"}
    return {"status": "ok"}
