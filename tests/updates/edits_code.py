"""Edits of a project's code, as owners make them in a year."""

from pathlib import Path

from tests.updates.changing import after, append, before, change, move, write


def items_router(project: Path) -> None:
    """A route as the README shows it, with its test."""
    write(
        project,
        "my_service/routers/items.py",
        '''"""Items of the shop."""

from fastapi import APIRouter
from loguru import logger

router = APIRouter(tags=["items"])

ITEMS = ["apple", "pear"]


@router.get("/items")
async def items() -> list[str]:
    """List the items."""
    logger.info("listing items", count=len(ITEMS))
    return ITEMS
''',
    )
    write(
        project,
        "tests/test_items.py",
        '''"""routers/items.py"""

from httpx import AsyncClient

from .conftest import Log


async def test_items(client: AsyncClient, log: Log) -> None:
    """The items are listed, and counted in the log."""
    response = await client.get("/items")
    assert response.json() == ["apple", "pear"]
    assert log("listing items")[0]["count"] == 2
''',
    )
    after(
        project,
        "my_service/routers/__init__.py",
        "from .hello import router as hello_router\n",
        "from .items import router as items_router\n",
    )
    after(
        project,
        "my_service/routers/__init__.py",
        "routers: list[APIRouter] = [\n",
        "    items_router,\n",
    )


def users_router(project: Path) -> None:
    """A second router, at the end of the list."""
    write(
        project,
        "my_service/routers/users.py",
        '''"""Users of the shop."""

from fastapi import APIRouter, HTTPException

from ..logging import bind_request

router = APIRouter(prefix="/users", tags=["users"])


@router.get("/{user_id}")
async def user(user_id: int) -> dict[str, int]:
    """Return one user."""
    bind_request(user=user_id)
    if user_id > 9:
        raise HTTPException(404, "no such user")
    return {"id": user_id}
''',
    )
    write(
        project,
        "tests/test_users.py",
        '''"""routers/users.py"""

import pytest
from httpx import AsyncClient

from .conftest import Log


@pytest.mark.parametrize(("user", "status"), [(1, 200), (10, 404)])
async def test_users(user: int, status: int, client: AsyncClient, log: Log) -> None:
    """Known users are returned; every line names the user."""
    assert (await client.get(f"/users/{user}")).status_code == status
    assert log("log request")[0]["user"] == user
''',
    )
    before(
        project,
        "my_service/routers/__init__.py",
        "\nrouters: list[APIRouter] = [\n",
        "from .users import router as users_router\n",
    )
    after(project, "my_service/routers/__init__.py", "    health_router,\n", "    users_router,\n")


def example_deleted(project: Path) -> None:
    """The example, its test and its lines are deleted, as the README says."""
    (project / "my_service/routers/hello.py").unlink()
    (project / "tests/test_hello.py").unlink()
    room = "my_service/routers/__init__.py"
    change(project, room, "from .hello import router as hello_router\n", "")
    change(project, room, "    hello_router,\n", "")


def example_renamed(project: Path) -> None:
    """The example becomes the first real router, under another name."""
    move(project, "my_service/routers/hello.py", "my_service/routers/greetings.py")
    move(project, "tests/test_hello.py", "tests/test_greetings.py")
    change(
        project,
        "my_service/routers/__init__.py",
        "from .hello import router as hello_router\n",
        "from .greetings import router as greetings_router\n",
    )
    change(
        project, "my_service/routers/__init__.py", "    hello_router,\n", "    greetings_router,\n"
    )
    change(project, "my_service/routers/greetings.py", 'tags=["hello"]', 'tags=["greetings"]')


def own_settings(project: Path) -> None:
    """Settings in config.py, the required one set for the tests."""
    change(
        project,
        "my_service/config.py",
        "from ._internal.settings.service import ServiceSettings, configure_log\n",
        "from pydantic import SecretStr\n\n"
        "from ._internal.settings.service import ServiceSettings, configure_log\n",
    )
    before(
        project,
        "my_service/config.py",
        "\n\nsettings = Settings.load()\n",
        '\n    shop_url: str = "http://localhost:9000"\n'
        "    shop_limit: int = 100\n"
        "    shop_api_key: SecretStr\n",
    )
    after(
        project,
        "tests/conftest.py",
        'os.environ["ENV"] = "testing"\n',
        'os.environ["SHOP_API_KEY"] = "for the tests"\n',
    )


def settings_at_the_end_of_the_sample(project: Path) -> None:
    """The variables of `own_settings` at the end of sample.env."""
    append(
        project,
        "sample.env",
        "\n# The shop that we sell for\n#SHOP_URL=http://localhost:9000\n#SHOP_LIMIT=100\n"
        "#SHOP_API_KEY=\n",
    )


def database(project: Path) -> None:
    """A database that is connected, checked and closed in resources.py."""
    room = "my_service/resources.py"
    change(
        project,
        room,
        "from collections.abc import AsyncIterator\n",
        "import sqlite3\nfrom collections.abc import AsyncIterator\n",
    )
    after(project, room, "checks: dict[str, Check] = {}\n", "\ndatabase: sqlite3.Connection\n")
    change(
        project,
        room,
        '    """Connect to databases and other services here; raise to stop the start."""\n',
        '    """Open the database."""\n'
        "    global database\n"
        '    database = sqlite3.connect(":memory:", check_same_thread=False)\n',
    )
    change(
        project,
        room,
        '    """Close what `startup` has opened."""\n',
        '    """Close what `startup` has opened."""\n'
        "    database.close()\n\n\n"
        "async def check_database() -> None:\n"
        '    """Raise if the database does not answer."""\n'
        '    database.execute("SELECT 1")\n\n\n'
        'checks["database"] = check_database\n',
    )


def cors(project: Path) -> None:
    """CORS as docs/recipes.md has it."""
    write(
        project,
        "my_service/cors.py",
        '''"""Pages of other origins that may call the service."""

from functools import partial

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from ._internal.asgi.stack import add_outermost_middleware


def add_cors(app: FastAPI) -> None:
    """Let pages of other origins call the service; call it before `add_request_log`."""
    cors = partial(
        CORSMiddleware,
        allow_origins=["https://shop.example"],
        allow_methods=["*"],
        allow_headers=["X-Request-ID", "traceparent"],
        expose_headers=["X-Request-ID"],
    )
    add_outermost_middleware(app, cors)
''',
    )
    after(
        project,
        "my_service/main.py",
        "from .config import settings\n",
        "from .cors import add_cors\n",
    )
    before(project, "my_service/main.py", "add_request_log(app)\n", "add_cors(app)\n")


def own_middleware(project: Path) -> None:
    """A pure ASGI middleware in a module beside the rooms."""
    write(
        project,
        "my_service/tenants.py",
        '''"""The tenant of a request, from its header."""

from starlette.types import ASGIApp, Receive, Scope, Send

from .logging import bind_request


class TenantMiddleware:
    """Add the tenant to every line of a request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bind the tenant, then call the application."""
        if scope["type"] == "http":
            tenant = dict(scope["headers"]).get(b"x-tenant", b"")
            bind_request(tenant=tenant.decode("latin-1"))
        await self.app(scope, receive, send)
''',
    )
    before(
        project,
        "my_service/main.py",
        "\napp = FastAPI(\n",
        "from .tenants import TenantMiddleware\n",
    )
    before(
        project,
        "my_service/main.py",
        "for router in routers:\n",
        "app.add_middleware(TenantMiddleware)\n",
    )


def problems(project: Path) -> None:
    """An exception handler of its own module."""
    write(
        project,
        "my_service/problems.py",
        '''"""Errors that clients can handle."""

from fastapi import Request
from fastapi.responses import JSONResponse

from .logging import bind_request


class Problem(Exception):
    """What happened, for people."""


async def problem_handler(request: Request, exc: Problem) -> JSONResponse:
    """Respond with 409, and name the problem in the request line."""
    bind_request(problem=str(exc))
    return JSONResponse({"detail": str(exc)}, 409)
''',
    )
    after(
        project,
        "my_service/exception_handlers.py",
        "from .logging import log_line\n",
        "from .problems import Problem, problem_handler\n",
    )
    append(
        project,
        "my_service/exception_handlers.py",
        "    app.exception_handler(Problem)(problem_handler)\n",
    )


def validation_log(project: Path) -> None:
    """The line of a 422 has one more field."""
    room = "my_service/exception_handlers.py"
    change(
        project,
        room,
        'log_line("INFO", "request validation exception", fields)',
        'log_line("INFO", "request validation exception", fields | {"team": "shop"})',
    )


def log_field(project: Path) -> None:
    """A field in every line."""
    after(
        project,
        "my_service/logging.py",
        "    fields = basic_fields(entry)  # timestamp, level, message, source\n",
        '    fields["process"] = os.getpid()\n',
    )
    before(project, "my_service/logging.py", "from typing import Any\n", "import os\n")


def line_writer(project: Path) -> None:
    """The request line without the referer; slow requests are warnings."""
    room = "my_service/middleware.py"
    before(
        project,
        room,
        '    if error:\n        logger.opt(exception=error).patch(mark_unhandled).error("unhandled',
        '    fields.pop("referer", None)\n',
    )
    before(
        project,
        room,
        "    else:\n        is_quiet = ",
        '    elif fields["elapsed"] > 5:\n'
        '        log_line("WARNING", "log request", fields | {"slow": True})\n',
    )


def static_files(project: Path) -> None:
    """Static files are mounted at the end of main.py."""
    write(project, "my_service/static/robots.txt", "User-agent: *\nDisallow: /\n")
    append(
        project,
        "my_service/main.py",
        'app.mount("/static", StaticFiles(packages=["my_service"]), name="static")\n',
    )
    after(
        project,
        "my_service/main.py",
        "from fastapi import FastAPI\n",
        "from fastapi.staticfiles import StaticFiles\n",
    )


def api_metadata(project: Path) -> None:
    """Title, version of the API and a contact in main.py."""
    room = "my_service/main.py"
    change(project, room, '    title="My Service",\n', '    title="Shop API",\n')
    after(
        project,
        room,
        '    openapi_url="/openapi.json" if settings.docs else None,\n',
        '    contact={"name": "The shop team", "email": "shop@example.com"},\n',
    )


def application_factory(project: Path) -> None:
    """main.py is rewritten: a function makes the application, routers under a prefix."""
    room = "my_service/main.py"
    text = (project / room).read_text("utf-8")
    head, _, body = text.partition("\napp = FastAPI(\n")
    lines = ["    app = FastAPI(", *(f"    {line}".rstrip() for line in body.splitlines())]
    made = "\n".join(lines).replace(
        "include_router(router)", 'include_router(router, prefix="/v1")'
    )
    (project / room).write_text(
        f'{head}\n\ndef make_app() -> FastAPI:\n    """Return the wired application."""\n{made}\n'
        "    return app\n\n\napp = make_app()\n",
        "utf-8",
    )


def health_version(project: Path) -> None:
    """The probe of health.py also names the release."""
    room = "my_service/routers/health.py"
    change(
        project,
        room,
        '        return {"status": "unavailable"}\n    return {"status": "ok"}\n',
        '        return {"status": "unavailable"}\n    return {"status": "ok", "release": "r42"}\n',
    )
    append(
        project,
        room,
        '\n\n@router.get("/build")\nasync def build() -> dict[str, str]:\n'
        '    """Name the build."""\n    quiet_request()\n    return {"build": "r42"}\n',
    )


def own_metric(project: Path) -> None:
    """A counter in metrics.py."""
    room = "my_service/metrics.py"
    after(
        project,
        room,
        "from fastapi import FastAPI\n",
        "from prometheus_client import Counter\n",
    )
    before(
        project,
        room,
        "\n\nclass MetricsSettings(EnvironmentSettings):\n",
        '\nORDERS = Counter("orders", "Orders that were paid.", ["currency"])\n',
    )


def sentry_rates(project: Path) -> None:
    """Other defaults of Sentry's rates."""
    change(
        project,
        "my_service/sentry.py",
        "    sentry_traces_sample_rate: Rate = 0\n",
        "    sentry_traces_sample_rate: Rate = 0.05\n",
    )


def worker(project: Path) -> None:
    """A worker that logs as the service does."""
    write(
        project,
        "my_service/worker.py",
        '"""A worker: `python -m my_service.worker`."""\n\n'
        "from my_service._internal import begin  # noqa: F401\n\n"
        "# isort: split\n"
        "from loguru import logger\n\n\n"
        "def main() -> None:\n"
        '    """Log one line."""\n'
        '    logger.info("worker started")\n\n\n'
        'if __name__ == "__main__":\n'
        "    main()\n",
    )
    write(
        project,
        "tests/test_worker.py",
        '"""worker.py"""\n\n'
        "from my_service.worker import main\n\n"
        "from .conftest import Log\n\n\n"
        "def test_worker(log: Log) -> None:\n"
        '    """The worker logs its start."""\n'
        "    main()\n"
        '    assert log("worker started")\n',
    )


def own_fixture(project: Path) -> None:
    """A fixture at the end of conftest.py."""
    append(
        project,
        "tests/conftest.py",
        "\n\n@pytest.fixture\nasync def admin(client: AsyncClient) -> AsyncClient:\n"
        '    """A client that sends the token of an administrator."""\n'
        '    client.headers["Authorization"] = "Bearer admin"\n    return client\n',
    )


def variables_of_the_tests(project: Path) -> None:
    """Variables for the tests, where conftest.py asks for them."""
    after(
        project,
        "tests/conftest.py",
        'os.environ["ENV"] = "testing"\n',
        'os.environ["TZ"] = "UTC"\n',
    )


def changed_tests(project: Path) -> None:
    """One more case in a test of the template, and another test behind it."""
    change(
        project,
        "tests/test_middleware.py",
        '["from-proxy_1.2", "", "a b", \'"}\', "x" * 129]',
        '["from-proxy_1.2", "", "a b", "a;b", \'"}\', "x" * 129]',
    )
    append(
        project,
        "tests/test_middleware.py",
        "\n\nasync def test_nothing_there(log: Log) -> None:\n"
        '    """A 404 is one line at INFO."""\n'
        "    async with connect(app) as client:\n"
        '        await client.get("/nothing")\n'
        '    assert [line["level"] for line in log()] == ["INFO"]\n',
    )


def tests_moved(project: Path) -> None:
    """The tests move into a folder, beside integration tests."""
    for path in sorted((project / "tests").glob("test_*.py")):
        move(project, f"tests/{path.name}", f"tests/unit/{path.name}")
        moved = project / "tests/unit" / path.name
        text = moved.read_text("utf-8").replace("from .conftest", "from ..conftest")
        moved.write_text(text, "utf-8")
    write(project, "tests/unit/__init__.py", "")


def patch_as_upstream(project: Path) -> None:
    """An emergency patch in the machinery, which the next version has too."""
    change(
        project,
        "my_service/_internal/asgi/readiness.py",
        "    except Exception as error:\n",
        "    except TimeoutError:\n"
        '        return f"no answer in {CHECK_TIMEOUT} seconds"\n'
        "    except Exception as error:\n",
    )


def patch_of_the_machinery(project: Path) -> None:
    """An emergency patch elsewhere in files that later versions change."""
    change(
        project,
        "my_service/_internal/asgi/readiness.py",
        "CHECK_TIMEOUT = 2.0  # seconds\n",
        "CHECK_TIMEOUT = 5.0  # seconds; our database is slow after a failover\n",
    )
    change(
        project,
        "my_service/_internal/log/numbers.py",
        "_DIGITS = 4_300  # Python's limit for converting an int to decimal text\n",
        "_DIGITS = 4_000  # Python's limit for converting an int to decimal text\n",
    )
    change(
        project,
        "my_service/_internal/log/sink.py",
        "    _stream.flush(1.0)\n",
        "    _stream.flush(2.5)\n",
    )
