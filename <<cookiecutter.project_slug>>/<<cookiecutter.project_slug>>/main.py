"""Wiring only: `app` is what any ASGI server imports."""

from ._internal import begin  # noqa: F401 - the log, before anything else is imported

# isort: split
from fastapi import FastAPI

from ._internal.version import service_version
from .config import settings
from .exception_handlers import add_exception_handlers
# <% if cookiecutter.use_prometheus %>
from .metrics import add_metrics
# <% endif %>
from .middleware import add_request_log
from .resources import lifespan
from .routers import routers
# <% if cookiecutter.use_sentry %>
from .sentry import add_sentry
# <% endif %>

app = FastAPI(
    title=<< cookiecutter.project_name | pystring >>,
    description=<< cookiecutter.description | pystring >>,
    version=service_version("<< cookiecutter.project_slug | distribution >>") or "unknown",
    lifespan=lifespan,
    openapi_url="/openapi.json" if settings.docs else None,
)
add_request_log(app)
# <% if cookiecutter.use_sentry %>
add_sentry(app)
# <% endif %>
# <% if cookiecutter.use_prometheus %>
add_metrics(app)
# <% endif %>
add_exception_handlers(app)
for router in routers:
    app.include_router(router)
