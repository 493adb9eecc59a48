"""The rendered project: its paths, the format of each file, and the answers in it."""

import json
import re
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from poetry.core.masonry import api

import template_stamp
from template_extension import SLUG, TAKEN
from tests.renders import (
    AWKWARD_NAMES,
    COMBINATIONS,
    CONTEXT,
    OPTIONS,
    PYTHON_VERSIONS,
    SOURCES,
    THOROUGH,
    command,
    files,
    render,
    run,
)

Bake = Callable[..., Path]

# The first, the last and the longest name, for import order and line lengths.
SLUGS = ("a", "zz", "s" * 30)

PATHS = {
    ".gitattributes",
    ".github/dependabot.yml",
    ".github/workflows/ci.yml",
    ".gitignore",
    ".pre-commit-config.yaml",
    "Makefile",
    "README.md",
    "docs/log.md",
    "docs/log.schema.json",
    "docs/operation.md",
    "docs/recipes.md",
    "docs/updates.md",
    "docs/variables.md",
    "my_service/__init__.py",
    "my_service/__main__.py",
    "my_service/_internal/__init__.py",
    "my_service/_internal/asgi/__init__.py",
    "my_service/_internal/asgi/broken_responses.py",
    "my_service/_internal/asgi/exchange.py",
    "my_service/_internal/asgi/hooks.py",
    "my_service/_internal/asgi/http_exchange.py",
    "my_service/_internal/asgi/lifespan.py",
    "my_service/_internal/asgi/proxies.py",
    "my_service/_internal/asgi/readiness.py",
    "my_service/_internal/asgi/request_fields.py",
    "my_service/_internal/asgi/request_ids.py",
    "my_service/_internal/asgi/request_log.py",
    "my_service/_internal/asgi/stack.py",
    "my_service/_internal/asgi/trace_context.py",
    "my_service/_internal/asgi/websocket_exchange.py",
    "my_service/_internal/begin.py",
    "my_service/_internal/context.py",
    "my_service/_internal/early.py",
    "my_service/_internal/log/__init__.py",
    "my_service/_internal/log/blocking_stream.py",
    "my_service/_internal/log/cache.py",
    "my_service/_internal/log/capture.py",
    "my_service/_internal/log/console.py",
    "my_service/_internal/log/fields.py",
    "my_service/_internal/log/first_lines.py",
    "my_service/_internal/log/formats.py",
    "my_service/_internal/log/jsonable.py",
    "my_service/_internal/log/known_secrets.py",
    "my_service/_internal/log/levels.py",
    "my_service/_internal/log/library_code.py",
    "my_service/_internal/log/lines.py",
    "my_service/_internal/log/loguru_patch.py",
    "my_service/_internal/log/named_secrets.py",
    "my_service/_internal/log/names.py",
    "my_service/_internal/log/numbers.py",
    "my_service/_internal/log/palette.py",
    "my_service/_internal/log/pretty.py",
    "my_service/_internal/log/record_messages.py",
    "my_service/_internal/log/redaction.py",
    "my_service/_internal/log/scrubbing.py",
    "my_service/_internal/log/secret_names.py",
    "my_service/_internal/log/setup.py",
    "my_service/_internal/log/sink.py",
    "my_service/_internal/log/source_redaction.py",
    "my_service/_internal/log/stream.py",
    "my_service/_internal/log/terminal.py",
    "my_service/_internal/log/texts.py",
    "my_service/_internal/log/timestamps.py",
    "my_service/_internal/log/tracebacks.py",
    "my_service/_internal/log/url_credentials.py",
    "my_service/_internal/log/values_in_text.py",
    "my_service/_internal/overrides.py",
    "my_service/_internal/platforms.py",
    "my_service/_internal/server/__init__.py",
    "my_service/_internal/server/application.py",
    "my_service/_internal/server/connections.py",
    "my_service/_internal/server/in_flight.py",
    "my_service/_internal/server/listener.py",
    "my_service/_internal/server/parent_watch.py",
    "my_service/_internal/server/process.py",
    "my_service/_internal/server/settings.py",
    "my_service/_internal/server/shutdown.py",
    "my_service/_internal/settings/__init__.py",
    "my_service/_internal/settings/environment.py",
    "my_service/_internal/settings/errors.py",
    "my_service/_internal/settings/fields.py",
    "my_service/_internal/settings/secret_files.py",
    "my_service/_internal/settings/service.py",
    "my_service/_internal/upstream.py",
    "my_service/_internal/version.py",
    "my_service/config.py",
    "my_service/exception_handlers.py",
    "my_service/logging.py",
    "my_service/main.py",
    "my_service/middleware.py",
    "my_service/py.typed",
    "my_service/resources.py",
    "my_service/routers/__init__.py",
    "my_service/routers/health.py",
    "my_service/routers/hello.py",
    "pyproject.toml",
    "sample.env",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/test_config.py",
    "tests/test_exception_handlers.py",
    "tests/test_health.py",
    "tests/test_hello.py",
    "tests/test_logging.py",
    "tests/test_main.py",
    "tests/test_middleware.py",
    "tests/test_resources.py",
}

# Paths that each option adds, and paths that only several options together add.
OPTION_PATHS: dict[str, set[str]] = {
    "use_sentry": {
        "docs/sentry.md",
        "local_sentry.py",
        "my_service/_internal/reports/__init__.py",
        "my_service/_internal/reports/route.py",
        "my_service/_internal/sentry/__init__.py",
        "my_service/_internal/sentry/before_send.py",
        "my_service/_internal/sentry/events.py",
        "my_service/_internal/sentry/exceptions.py",
        "my_service/_internal/sentry/flushing.py",
        "my_service/_internal/sentry/isolation.py",
        "my_service/_internal/sentry/reported.py",
        "my_service/_internal/sentry/reporting.py",
        "my_service/sentry.py",
        "tests/test_sentry.py",
    },
    "use_prometheus": {
        "docs/prometheus.md",
        "monitoring/alertmanager.yml",
        "monitoring/alerts.yml",
        "monitoring/alerts_test.yml",
        "monitoring/grafana/dashboards/service.json",
        "monitoring/grafana/provisioning/dashboards/service.yml",
        "monitoring/grafana/provisioning/datasources/prometheus.yml",
        "monitoring/prometheus.yml",
        "monitoring/rules.yml",
        "my_service/_internal/prometheus/__init__.py",
        "my_service/_internal/prometheus/request_metrics.py",
        "my_service/_internal/prometheus/scrape_server.py",
        "my_service/_internal/prometheus/settings.py",
        "my_service/_internal/reports/__init__.py",
        "my_service/_internal/reports/route.py",
        "my_service/metrics.py",
        "tests/test_metrics.py",
    },
    "use_docker": {
        ".dockerignore",
        "Caddyfile",
        "Dockerfile",
        "compose.yaml",
        "deploy/kubernetes.yaml",
        "deploy/swarm.yaml",
        "docs/deploy.md",
        "docs/docker.md",
        "smoke.py",
    },
    "server=hypercorn": {
        "my_service/_internal/hypercorn/__init__.py",
        "my_service/_internal/hypercorn/connection.py",
        "my_service/_internal/hypercorn/http1.py",
        "my_service/_internal/hypercorn/http2.py",
        "my_service/_internal/hypercorn/http_streams.py",
        "my_service/_internal/hypercorn/inbox.py",
        "my_service/_internal/hypercorn/patches.py",
        "my_service/_internal/hypercorn/server.py",
        "my_service/_internal/hypercorn/websocket_streams.py",
    },
    "server=uvicorn": {
        "my_service/_internal/uvicorn/__init__.py",
        "my_service/_internal/uvicorn/accepting.py",
        "my_service/_internal/uvicorn/http.py",
        "my_service/_internal/uvicorn/server.py",
        "my_service/_internal/uvicorn/websocket.py",
    },
    "use_docker+use_prometheus": {
        "compose.monitoring.yaml",
    },
}

# Patterns that must not match in a project without the option.
TRACES: dict[str, str] = {
    "use_sentry": "sentry|dsn=",
    "use_prometheus": "prometheus|metric|monitoring|grafana|alert|promtool|amtool|scrape|9464",
    "use_docker": r"docker|caddy|compose\b",
}

NAMES = "before_send_metric|^  metrics:$|metrics server"

RENDERS: dict[str, dict[str, str | bool]] = {
    **{f"options-{name}": {**options} for name, options in COMBINATIONS.items()},
    **{f"{version}-{slug:.2}-{name}": {"python_version": version, "project_slug": slug,
                                       **COMBINATIONS[name]}
       for version in PYTHON_VERSIONS for slug in SLUGS for name in THOROUGH},
    **{f"{kind}-everywhere": {"project_name": name, "description": name, "author_name": name,
                              "author_email": "zoë+o'hara@exämple.co", "project_slug": "my_service"}
       for kind, name in AWKWARD_NAMES.items()},
    "longest": {"project_name": "N" * 60, "project_slug": "s" * 30, "description": "d " * 99 + "d",
                "author_name": "李" * 80, "author_email": f"{'e' * 242}@example.com"},
    "emptiest": {"project_name": "李", "description": ""},
    "slug-with-underscores": {"project_slug": "a__b_"},
}  # fmt: skip


@pytest.fixture(scope="module", params=list(RENDERS.values()), ids=list(RENDERS))
def answers(request: pytest.FixtureRequest) -> dict[str, str | bool]:
    """The answers of one render."""
    return dict(request.param)


@pytest.fixture(scope="module")
def project(
    answers: dict[str, str | bool], home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The project rendered with these answers."""
    return render(tmp_path_factory.mktemp("render"), home, **answers)


def texts(project: Path, *suffixes: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file, or of each file with one of the suffixes."""
    for path in sorted(files(project)):
        if not suffixes or path.endswith(suffixes):
            yield path, (project / path).read_text("utf-8")


def is_chosen(option: str, answers: dict[str, str | bool]) -> bool:
    """Return whether an option is on, or an answer such as `server=uvicorn` was given."""
    name, _, value = option.partition("=")
    return answers.get(name, CONTEXT[name][0]) == value if value else bool(answers.get(name))


def test_paths(project: Path, answers: dict[str, str | bool]) -> None:
    """A project has exactly these files; its package has the name of its folder."""
    assert project.name == answers.get("project_slug", "my_service")
    added = [paths for options, paths in OPTION_PATHS.items()
             if all(is_chosen(option, answers) for option in options.split("+"))]  # fmt: skip
    expected = PATHS.union(*added)
    assert files(project) == {re.sub("^my_service/", f"{project.name}/", path) for path in expected}


def test_no_trace_of_an_unused_option(project: Path, answers: dict[str, str | bool]) -> None:
    """A project without an option contains no trace of it."""
    for option in OPTIONS:
        for path, text in texts(project):
            if not answers.get(option):
                # The stamp contains every question.
                text = text.replace(f"{option} = ", "")  # noqa: PLW2901
                # Names of the Sentry SDK and of Kubernetes.
                text = re.sub(NAMES, "", text, flags=re.MULTILINE)  # noqa: PLW2901
                assert not re.search(TRACES[option], text, re.IGNORECASE), path
    if answers.get("server") == "uvicorn":
        for path, text in texts(project):
            assert not re.search("hypercorn|h2c", text, re.IGNORECASE), path


def test_top_level_names_are_reserved(bake: Bake) -> None:
    """No package can have the name of a file or folder beside it, in upper or lower case."""
    names = {path.partition("/")[0].lower() for path in files(bake(project_slug="zz"))} - {"zz"}
    assert {name for name in names if SLUG.fullmatch(name)} - TAKEN == set()


def test_package_is_not_ignored(bake: Bake) -> None:
    """git and the build backend include every file of a package, under every allowed name."""
    lines = (bake() / ".gitignore").read_text("utf-8").splitlines()
    names = {line.strip("/").lower() for line in lines}
    assert {name for name in names if SLUG.fullmatch(name)} - TAKEN == set()


def test_format(project: Path) -> None:
    """`ruff format` with the project's settings changes nothing."""
    done = run(command("ruff"), "format", "--no-cache", "--diff", ".", cwd=project)
    assert (done.returncode, done.stdout) == (0, "")


def test_lint(project: Path) -> None:
    """`ruff check` with the project's settings finds nothing."""
    done = run(command("ruff"), "check", "--no-cache", "--output-format=concise", ".", cwd=project)
    assert done.returncode == 0, done.stdout


def test_blank_lines(project: Path) -> None:
    """No file has leading, trailing or double blank lines, or blanks at line ends."""
    for path, text in texts(project):
        assert not text.startswith("\n"), path
        assert not text or text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
        assert not re.search(r"[ \t]$", text, re.MULTILINE), path
        # The formatter checks Python.
        other = re.sub(r"^```python.*?^```", "```", text, flags=re.DOTALL | re.MULTILINE)
        assert path.endswith(".py") or "\n\n\n" not in other, path


def test_no_trace_of_the_template(project: Path) -> None:
    """A project contains no delimiter, tag or private answer of the template."""
    for path, text in texts(project):
        assert not re.search(r"<< ?cookiecutter|# ?<%|%>|<#|#>|cookiecutter\.", text), path


def test_data_files_are_readable(project: Path) -> None:
    """Every TOML, YAML and JSON file is valid."""
    for _, text in texts(project, ".toml"):
        tomllib.loads(text)
    for _, text in texts(project, ".yml", ".yaml"):
        assert list(yaml.safe_load_all(text))
    for _, text in texts(project, ".json"):
        json.loads(text)


def test_stamp(project: Path, answers: dict[str, str | bool]) -> None:
    """pyproject.toml has the template's version, commit and address, and every answer."""
    pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    stamp: dict[str, Any] = pyproject["tool"]["plinth"]
    questions = [name for name in CONTEXT if not name.startswith("_")]
    assert list(stamp) == ["version", "commit", "template", *questions]
    assert {name: stamp[name] for name in template_stamp.stamp()} == template_stamp.stamp()
    assert {name: stamp[name] for name in answers} == answers
    if "description" in answers:
        assert pyproject["project"]["description"] == answers["description"]


def test_metadata(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """poetry-core can build every project, with every author name."""
    monkeypatch.chdir(project)
    folder = tmp_path / api.prepare_metadata_for_build_wheel(str(tmp_path))
    metadata = (folder / "METADATA").read_text("utf-8")
    pyproject = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    assert f"\nName: {pyproject['project']['name']}\n" in metadata
    assert f"\nSummary: {pyproject['project']['description']}\n" in metadata
    for author in pyproject["project"]["authors"]:
        assert all(f": {text}\n" in metadata for text in author.values())


def test_distributions(bake: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel has the package with `py.typed`, for mypy; the sdist has the tests too."""
    project = bake(**COMBINATIONS["all"])
    monkeypatch.chdir(project)
    with zipfile.ZipFile(tmp_path / api.build_wheel(str(tmp_path))) as wheel:
        built = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = {path for path in files(project) if path.startswith("my_service/")}
    assert built == package >= {"my_service/py.typed"}
    with tarfile.open(tmp_path / api.build_sdist(str(tmp_path))) as sdist:
        packed = {name.partition("/")[2] for name in sdist.getnames()}
    tests = {path for path in files(project) if path.startswith("tests/")}
    assert packed == package | tests | {"README.md", "pyproject.toml", "PKG-INFO", "sample.env"}


def test_fastapi_command(project: Path) -> None:
    """`fastapi dev` finds the application by the entry point in pyproject.toml."""
    pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    assert pyproject["tool"]["fastapi"] == {"entrypoint": f"{project.name}.main:app"}


def test_sources_have_no_conditional_names() -> None:
    """No name can render empty, which would make cookiecutter write elsewhere."""
    names = {part for path in SOURCES.rglob("*") for part in path.relative_to(SOURCES).parts}
    assert {name for name in names if "<" in name} == {"<<cookiecutter.project_slug>>"}
