"""Wiring only: `app` is what any ASGI server imports."""

from .config import settings
from .exception_handlers import add_exception_handlers
# <% if cookiecutter.use_prometheus %>
from .metrics import add_metrics
# <% endif %>
from .middleware import Service
from .resources import lifespan
from .routers import health, hello
# <% if cookiecutter.use_sentry %>
from .sentry import add_sentry
# <% endif %>

app = Service(
    title=<< cookiecutter.project_name | pystring >>,
    description=<< cookiecutter.description | pystring >>,
    lifespan=lifespan,
    openapi_url="/openapi.json" if settings.docs else None,
)
add_exception_handlers(app)
# <% if cookiecutter.use_sentry %>
add_sentry(app)
# <% endif %>
# <% if cookiecutter.use_prometheus %>
add_metrics(app)
# <% endif %>

# The first that matches answers: the busiest first.
app.include_router(hello.router)
app.include_router(health.router)
