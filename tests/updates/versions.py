"""Two later versions of the template, as its maintainers plausibly write them in half a year.

Each is a function that edits a clone, commits and tags it. The texts that it replaces must be in
the sources: an error here means that a source has changed, and that its text here must follow.
"""

import json
import re
import tomllib
from pathlib import Path

from tests.renders import SOURCES, TEMPLATE, commit, git
from tests.updates.changing import after, before, change, move, write

P = SOURCES.name
NOW = tomllib.loads((TEMPLATE / "pyproject.toml").read_text("utf-8"))["project"]["version"]
MAJOR, MINOR, _ = NOW.split(".")
VERSIONS = [NOW, *(f"{MAJOR}.{int(MINOR) + step}.0" for step in (1, 2))]
TAGS = [f"v{version}" for version in VERSIONS]
# Files that the later versions rename, old path -> new path.
RENAMED = {
    "my_service/_internal/log/numbers.py": "my_service/_internal/log/json_numbers.py",
    "docs/recipes.md": "docs/how-to.md",
}

BODY_LIMIT = '''"""Refuse requests with a large body before they are read."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class BodyLimitMiddleware:
    """Middleware that answers 413 to a request whose Content-Length is over a limit.

    Args:
        app: what is called with all other requests.
        limit: bytes; 0 is no limit.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or call the application."""
        if scope["type"] == "http" and 0 < self.limit < _length(scope):
            response = JSONResponse({"detail": "Content Too Large"}, 413)
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _length(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0
'''

BODY_LIMIT_TEST = '''"""The limit of bodies in middleware.py"""

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from << cookiecutter.project_slug >> import middleware
from << cookiecutter.project_slug >>.config import settings

from .conftest import connect


async def test_small_bodies_pass(client: AsyncClient) -> None:
    """By default there is no limit."""
    assert (await client.post("/nowhere", content=b"x" * 10_000)).status_code == 404


async def test_large_bodies_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body over the limit is a 413."""
    limited = settings.model_copy(update={"body_limit": 10})
    monkeypatch.setattr(middleware, "settings", limited)
    app = FastAPI()
    middleware.add_body_limit(app)
    async with connect(app) as client:
        assert (await client.post("/", content=b"x" * 11)).status_code == 413
'''

MEMORY_ALERT = """
      - alert: MemoryHigh
        expr: process_resident_memory_bytes > 400e6
        for: 15m
        labels:
          severity: warning
        annotations:
          summary: "{{ $labels.instance }} uses {{ $value | humanize1024 }}B of memory"
          description: "{{ $labels.job }} at {{ $labels.instance }} is close to its limit."
          runbook: |
            1. If it rises steadily, look for caches and lists that only grow.
"""


def first(clone: Path) -> None:
    """Tag the present state as the version in its pyproject.toml."""
    tag(clone, 0)


def second(clone: Path) -> None:
    """Make the next version."""
    project = clone / P
    _second_machinery(project / P / "_internal")
    _second_rooms(project)
    _second_surroundings(project)
    _second_operation(project)
    commit_version(clone, 1)


def third(clone: Path) -> None:
    """Make the version after the next."""
    project = clone / P
    _third_machinery(project / P / "_internal")
    _third_rooms(project)
    _third_surroundings(project)
    _third_operation(project)
    _third_question(clone)
    commit_version(clone, 2)


def _second_machinery(internal: Path) -> None:
    """A fix, a new setting, a new module and a renamed module."""
    before(
        internal,
        "asgi/readiness.py",
        "    except Exception as error:\n",
        '    except TimeoutError:\n        return f"no answer in {CHECK_TIMEOUT} seconds"\n',
    )
    change(internal, "log/sink.py", "@lru_cache(maxsize=16)\n", "@lru_cache(maxsize=64)\n")
    write(internal, "asgi/body_limit.py", BODY_LIMIT)
    after(
        internal,
        "settings/service.py",
        '    docs: Annotated[bool, Field(description="true or false")] = True\n',
        "    body_limit: Annotated["
        'int, Field(ge=0, description="a whole number of bytes from 0")] = 0\n',
    )
    move(internal, "log/numbers.py", "log/json_numbers.py")
    change(internal, "log/fields.py", "from .numbers import", "from .json_numbers import")
    change(internal, "log/jsonable.py", "from .numbers import", "from .json_numbers import")
    change(internal, "log/json_numbers.py", "that JSON cannot represent.", "that JSON cannot hold.")
    change(
        internal,
        "__init__.py",
        "        names, numbers          names",
        "        names, json_numbers     names",
    )
    before(
        internal,
        "__init__.py",
        "        hooks                   called for every request\n",
        "        body_limit              refuses requests with a large body\n",
    )


def _second_rooms(project: Path) -> None:
    """A line more in main.py, a function more in middleware.py, changed lines elsewhere."""
    package = project / P
    before(package, "main.py", "add_exception_handlers(app)\n", "add_body_limit(app)\n")
    change(
        package,
        "main.py",
        "from .middleware import add_request_log\n",
        "from .middleware import add_body_limit, add_request_log\n",
    )
    before(
        package,
        "middleware.py",
        "from ._internal.asgi.request_log import",
        "from ._internal.asgi.body_limit import BodyLimitMiddleware\n",
    )
    before(
        package,
        "middleware.py",
        "def log_request(fields",
        "def add_body_limit(app: FastAPI) -> None:\n"
        '    """Refuse bodies over BODY_LIMIT."""\n'
        "    app.add_middleware(BodyLimitMiddleware, limit=settings.body_limit)\n\n\n",
    )
    change(
        package,
        "routers/health.py",
        "        bind_request(unavailable=failing)\n",
        "        bind_request(unavailable=failing)\n"
        '        response.headers["Cache-Control"] = "no-store"\n',
    )
    change(
        package,
        "routers/hello.py",
        'logger.info("greeting the world")',
        'logger.info("greeting the world", language="en")',
    )
    change(
        package,
        "logging.py",
        "    return fields | constant_fields if constant_fields else fields\n",
        "    return {**fields, **constant_fields}\n",
    )
    change(
        package,
        "config.py",
        "variable must be set. Values of type",
        "variable must be set before the start. Values of type",
    )
    change(
        project,
        "tests/conftest.py",
        'logging.getLogger("httpx").setLevel(logging.WARNING)  # the client of the tests\n',
        'for name in ("httpx", "httpcore"):  # the client of the tests\n'
        "    logging.getLogger(name).setLevel(logging.WARNING)\n",
    )
    write(project, "tests/test_body_limit.py", BODY_LIMIT_TEST)


def _second_surroundings(project: Path) -> None:
    """Dependencies, targets, documentation and CI."""
    change(project, "pyproject.toml", '"fastapi>=0.133,', '"fastapi>=0.135,')
    before(project, "pyproject.toml", '    "stackprinter>=', '    "starlette>=1.0,<2",\n')
    after(project, "pyproject.toml", '    "pytest>=8.4",\n', '    "pytest-timeout>=2.3",\n')
    change(
        project,
        "Makefile",
        "\t$(UV) run ruff check\n",
        "\t$(UV) run ruff check --output-format=concise\n",
    )
    before(
        project,
        "Makefile",
        ".PHONY: format\n",
        ".PHONY: outdated\n# Show dependencies with newer versions\noutdated: $(UV)\n"
        "\t$(UV) tree --outdated --depth 1\n\n",
    )
    after(
        project,
        "sample.env",
        "#DOCS=true\n",
        "# Bytes of the largest request body; 0 is no limit\n#BODY_LIMIT=0\n",
    )
    after(
        project,
        "docs/variables.md",
        "| `DOCS` | whether to serve /docs, /redoc and /openapi.json | `true` |\n",
        "| `BODY_LIMIT` | bytes of the largest request body; 0 is no limit | `0` |\n",
    )
    change(
        project,
        "README.md",
        "make test lint  # run the tests; check style and types\n",
        "make test lint  # run the tests; check style and types\n"
        "make outdated   # list dependencies with newer versions\n",
    )
    change(
        project,
        "README.md",
        "Each request writes one JSON line to standard error when its last byte is sent;",
        "Each request is one line of JSON on standard error, written with its last byte;",
    )
    change(
        project,
        "docs/operation.md",
        "A check that takes more than 2 seconds fails too. The line of a failed probe has the\n"
        "reasons under `unavailable`.",
        "A check that takes more than 2 seconds fails with `no answer`. The line of a failed\n"
        "probe has the reasons under `unavailable`, and caches do not keep its response.",
    )
    uv = "setup-uv@v7\n        with:"
    change(project, ".github/workflows/ci.yml", uv, uv.replace("v7", "v8"))


def _second_operation(project: Path) -> None:
    """Containers and monitoring."""
    change(project, "Dockerfile", "else '3.13' >>", "else '3.14' >>")
    change(project, "Dockerfile", '"uv>=0.8,<1"', '"uv>=0.9,<1"')
    change(
        project,
        "compose.yaml",
        '"http://127.0.0.1:2019/config/"]\n      interval: 3s\n      timeout: 3s\n',
        '"http://127.0.0.1:2019/config/"]\n      interval: 5s\n      timeout: 4s\n',
    )
    after(
        project,
        "Caddyfile",
        "\theader ?Referrer-Policy no-referrer\n",
        '\theader ?Permissions-Policy "interest-cohort=()"\n',
    )
    change(
        project,
        "monitoring/alerts.yml",
        "        expr: rate(process_cpu_seconds_total[5m]) > 0.9\n        for: 10m\n",
        "        expr: rate(process_cpu_seconds_total[5m]) > 0.85\n        for: 15m\n",
    )
    before(project, "monitoring/alerts.yml", "\n  - name: exceptions\n", MEMORY_ALERT)
    change(
        project,
        "monitoring/grafana/dashboards/service.json",
        '"description": "Instances that Prometheus can scrape."',
        '"description": "Instances that Prometheus could scrape at the last attempt."',
    )


def _third_machinery(internal: Path) -> None:
    """A module deleted, its content elsewhere; changed lines."""
    (internal / "log/formats.py").unlink()
    change(
        internal,
        "__init__.py",
        "        formats                 JSON, or what a developer reads\n",
        "",
    )
    after(
        internal,
        "log/levels.py",
        "from functools import lru_cache\n",
        "from typing import Literal\n",
    )
    before(
        internal,
        "log/levels.py",
        "_default = 0\n",
        'LogFormat = Literal["json", "pretty", "console"]\nDEFAULT_STYLE = "dark-or-light"\n\n',
    )
    for path in sorted(internal.rglob("*.py")):
        text = path.read_text("utf-8")
        new = re.sub(r"from (\.|\.\.log\.)formats import", r"from \1levels import", text)
        if new != text:
            path.write_text(new, "utf-8")
    change(
        internal,
        "asgi/readiness.py",
        '    """Set the state of the service; a stopping service does not become ready again."""\n',
        '    """Set the state of the service; one that stops does not become ready again."""\n',
    )
    change(internal, "log/json_numbers.py", "bits - 256", "bits - 128")


def _third_rooms(project: Path) -> None:
    """Changed lines, in rooms that owners edit too."""
    package = project / P
    change(
        package,
        "middleware.py",
        '        is_quiet = quiet and fields["status_code"] < 400\n',
        '        is_quiet = quiet and 200 <= fields["status_code"] < 400\n',
    )
    after(
        package,
        "logging.py",
        '            fields["trace_id"] = trace.trace_id\n',
        '            if trace.span_id:\n                fields["span_id"] = trace.span_id\n',
    )
    change(
        package,
        "resources.py",
        "# its resource has failed.\n",
        "# its resource has failed. It has two seconds.\n",
    )
    after(
        package,
        "main.py",
        '    openapi_url="/openapi.json" if settings.docs else None,\n',
        "    redirect_slashes=False,\n",
    )
    change(
        package,
        "routers/__init__.py",
        "in the order in which they are matched: the busiest first.",
        "in the order in which they are matched; put the busiest first.",
    )
    before(
        project,
        "tests/conftest.py",
        "\n\n@pytest.fixture\nasync def client()",
        "\n\n@pytest.fixture(autouse=True)\n"
        "def no_tracer(monkeypatch: pytest.MonkeyPatch) -> None:\n"
        '    """No test exports spans."""\n'
        '    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")\n',
    )


def _third_surroundings(project: Path) -> None:
    """Dependencies, targets, documentation and CI."""
    change(
        project,
        "pyproject.toml",
        '    "typing-extensions>=4.12",\n',
        '    "typing-extensions>=4.13",\n',
    )
    change(project, "pyproject.toml", '    "watchfiles>=1.1",\n', '    "watchfiles>=1.1.1",\n')
    change(
        project,
        "pyproject.toml",
        "show_missing = true\nskip_covered = true\n",
        "show_missing = true\nskip_covered = true\nskip_empty = true\n",
    )
    change(
        project,
        "Makefile",
        "\t$(UV) run coverage report\n",
        "\t$(UV) run coverage report --skip-empty\n",
    )
    move(project, "docs/recipes.md", "docs/how-to.md")
    change(project, "docs/how-to.md", "# Recipes\n", "# How to\n")
    change(
        project,
        "README.md",
        "- [Recipes](docs/recipes.md): calls to other services,",
        "- [How to](docs/how-to.md): calls to other services,",
    )
    change(
        project,
        "docs/operation.md",
        "A broken edit waits for the next one.\n",
        "A broken edit waits for the next one,\nand WebSockets are closed after half a second.\n",
    )
    after(
        project,
        ".github/workflows/ci.yml",
        "      - run: make test\n",
        "      - run: make outdated\n        continue-on-error: true\n",
    )
    after(project, ".gitignore", ".pytest_cache/\n", ".ropeproject/\n")
    change(project, "sample.env", "#SHUTDOWN_TIMEOUT=8\n", "#SHUTDOWN_TIMEOUT=10\n")


def _third_operation(project: Path) -> None:
    """Containers and monitoring."""
    change(
        project,
        "Dockerfile",
        "HEALTHCHECK --interval=3s --timeout=3s --start-period=30s",
        "HEALTHCHECK --interval=5s --timeout=3s --start-period=30s",
    )
    change(
        project,
        "compose.yaml",
        "    read_only: true\n    tmpfs:\n      - /tmp:size=64m,noexec,nosuid,nodev\n",
        "    read_only: true\n    tmpfs:\n      - /tmp:size=128m,noexec,nosuid,nodev\n",
    )
    change(
        project, "Caddyfile", "\t\t\tread_header 10s\n", "\t\t\tread_header 10s\n\t\t\tidle 2m\n"
    )
    change(
        project,
        "monitoring/alerts.yml",
        "          and job_route:http_requests:rate5m > 0.05\n",
        "          and job_route:http_requests:rate5m > 0.1\n",
    )
    change(
        project,
        "monitoring/prometheus.yml",
        "  evaluation_interval: 15s\n",
        "  evaluation_interval: 30s\n",
    )
    path = project / "monitoring/grafana/dashboards/service.json"
    dashboard = json.loads(path.read_text("utf-8"))
    panel = json.loads(json.dumps(dashboard["panels"][-1]))
    panel |= {"id": 25, "title": "Opened WebSockets"}
    panel["gridPos"] |= {"x": 0, "y": 48}
    dashboard["panels"].append(panel)
    path.write_text(json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _third_question(clone: Path) -> None:
    """A question with a default, and the page that it adds."""
    change(
        clone,
        "cookiecutter.json",
        '    "use_docker": false,\n',
        '    "use_docker": false,\n    "use_profiling": false,\n',
    )
    before(
        clone,
        "hooks/post_gen_project.py",
        '    "use_docker+use_prometheus"',
        '    "use_profiling": ("docs/profiling.md",),\n',
    )
    write(clone / P, "docs/profiling.md", "# Profiling\n\n`uvx py-spy top --pid PID`.\n")
    after(
        clone / P,
        "pyproject.toml",
        "use_docker = << cookiecutter.use_docker | tojson >>\n",
        "use_profiling = << cookiecutter.use_profiling | tojson >>\n",
    )


def commit_version(clone: Path, number: int) -> None:
    """Raise the version, commit and tag."""
    old, new = VERSIONS[number - 1 : number + 1]
    change(clone, "pyproject.toml", f'\nversion = "{old}"\n', f'\nversion = "{new}"\n')
    commit(clone, f"Version {new}")
    tag(clone, number)


def tag(clone: Path, number: int) -> None:
    """Make an annotated tag."""
    git(clone, "tag", "--annotate", "--message", VERSIONS[number], TAGS[number])
