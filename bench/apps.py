"""The compared applications: the same routers with different logging.

- `bare`: FastAPI alone.
- `reference`: the usual request log: BaseHTTPMiddleware, Loguru's default format, `print` of a JSON
  line to standard error, stackprinter over the whole traceback.
- `access log`: FastAPI alone, behind uvicorn with its own access log.
- `structlog`: structlog with asgi-correlation-id, in `structlog_app.py`.
- `service`: the rendered project without options.
- `all options`: the rendered project with all options.
- `use_sentry`, compared with `SDK's integrations`: `sentry_sdk.init` with its defaults.
- `use_prometheus`, compared with `instrumentator`: prometheus-fastapi-instrumentator.
"""

import sys
import time
from collections.abc import Awaitable, Callable
from secrets import token_urlsafe
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from loguru import logger

DSN = "http://public@127.0.0.1:9/1"

log: Any = logger  # what `/info` logs with

# As many routers as the project has.
hello, health, router = APIRouter(), APIRouter(prefix="/health"), APIRouter()


@hello.get("/hello")
async def greet() -> dict[str, str]:
    """Stand in for the project's example."""
    return {"message": "Hello World"}


@hello.get("/divide")
async def divide(a: int, b: int) -> float:
    """Fail if `b` is 0 or not a number."""
    return a / b


@health.get("/live")
async def live() -> dict[str, str]:
    """Stand in for a probe."""
    return {"status": "ok"}


@health.get("/ready")
async def ready() -> dict[str, str]:
    """Stand in for the other probe."""
    return {"status": "ok"}


@router.get("/plain")
async def plain() -> dict[str, int]:
    """Return a small body without logging."""
    return {"data": 12345}


@router.get("/info")
async def info() -> dict[str, int]:
    """Return the same body and log one line."""
    log.info("one line", number=12345)
    return {"data": 12345}


@router.get("/quiet-failure")
async def quiet_failure() -> Response:
    """Return a 500 without an exception."""
    return PlainTextResponse("Internal Server Error", status_code=500)


def application(name: str) -> FastAPI:
    """Return one of the applications, with its log set up."""
    app = APPLICATIONS[name]()
    for included in (router, hello, health):
        app.include_router(included)
    return app


def service() -> FastAPI:
    """Return the rendered project's application, without its routers."""
    from my_service._internal import begin  # noqa: F401
    from my_service.exception_handlers import add_exception_handlers
    from my_service.middleware import add_request_log

    app = FastAPI()
    add_request_log(app)
    add_exception_handlers(app)
    return app


def use_sentry(app: FastAPI | None = None) -> FastAPI:
    """Return the rendered project's application with its Sentry option."""
    import sentry_sdk

    from my_service.sentry import SentrySettings, add_sentry

    app = app or service()
    add_sentry(app, SentrySettings(sentry_dsn=DSN))
    # Sending costs the same in both applications.
    sentry_sdk.get_client().transport = None
    return app


def sdk_integrations() -> FastAPI:
    """Return the rendered project's application with the SDK's automatic integrations."""
    import sentry_sdk

    sentry_sdk.init(DSN)
    sentry_sdk.get_client().transport = None
    return service()


def use_prometheus() -> FastAPI:
    """Return the rendered project's application with its Prometheus option."""
    from my_service.metrics import add_metrics

    app = service()
    add_metrics(app)
    return app


def instrumentator() -> FastAPI:
    """Return a bare application with prometheus-fastapi-instrumentator."""
    from prometheus_fastapi_instrumentator import Instrumentator

    app = FastAPI()
    Instrumentator().instrument(app)
    return app


def all_options() -> FastAPI:
    """Return the rendered project's application with all options, as main.py adds them."""
    return use_sentry(use_prometheus())


def reference() -> FastAPI:
    """Return an application with the usual request log."""
    import orjson
    import stackprinter

    def serialize(record: Any) -> str:
        fields = {
            "timestamp": record["time"].isoformat(),
            "level": record["level"].name,
            "message": record["message"],
            "source": f"{record['file'].name}:{record['function']}:{record['line']}",
            **record["extra"],
        }
        if record["exception"]:
            fields["exception"] = stackprinter.format(record["exception"])
        return orjson.dumps(fields, default=str).decode()

    logger.remove()
    logger.add(lambda message: print(serialize(message.record), file=sys.stderr), level="INFO")
    app = FastAPI()
    app.middleware("http")(log_request)
    return app


def with_structlog() -> FastAPI:
    """Return an application with structlog and asgi-correlation-id."""
    import structlog

    from bench.structlog_app import structlog_application

    global log  # noqa: PLW0603 - the contenders share the endpoints
    app = structlog_application()
    log = structlog.get_logger().bind()
    return app


async def log_request(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Log a request as the reference does."""
    started = time.time()
    error: Exception | None = None
    request_id = token_urlsafe(8)
    with logger.contextualize(request_id=request_id):
        try:
            response = await call_next(request)
        except Exception as raised:
            error = raised
            response = PlainTextResponse("Internal Server Error", status_code=500)
        elapsed = time.time() - started
        fields = {
            "remote_ip": request.client,
            "schema": request.url.scheme,
            "protocol": request.scope["http_version"],
            "method": request.method,
            "path_with_query": f"{request.url.path}?{request.url.query}",
            "status_code": response.status_code,
            "response_length": response.headers.get("content-length", 0),
            "elapsed": elapsed,
            "referer": request.headers.get("referer", ""),
            "user_agent": request.headers.get("user-agent", ""),
        }
        if error:
            logger.opt(exception=error).error("Unhandled exception", **fields)
        else:
            logger.info("log request", **fields)
    response.headers["X-Request-ID"] = request_id
    response.headers["X-Processed-Time"] = str(elapsed)
    return response


APPLICATIONS: dict[str, Callable[[], FastAPI]] = {
    "bare": FastAPI,
    "access log": FastAPI,
    "reference": reference,
    "structlog": with_structlog,
    "service": service,
    "all options": all_options,
    "use_sentry": use_sentry,
    "SDK's integrations": sdk_integrations,
    "use_prometheus": use_prometheus,
    "instrumentator": instrumentator,
}
