"""Health probes; those that succeed are logged at DEBUG."""

from fastapi import APIRouter, Response, status

from .._internal.asgi.readiness import failing_checks
from ..logging import bind_request, quiet_request
from ..resources import checks

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """Answer while the process serves; restart it when this fails."""
    quiet_request()
    return {"status": "ok"}


@router.get("/ready")
async def ready(response: Response) -> dict[str, str]:
    """Answer 200 when requests can be taken; on 503 send them elsewhere."""
    quiet_request()
    if failing := await failing_checks(checks):
        bind_request(unavailable=failing)
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return {"status": "unavailable"}
    return {"status": "ok"}
