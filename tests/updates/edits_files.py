"""Edits of everything around the code: packaging, docs, CI, containers, monitoring."""

import json
import shutil
from pathlib import Path

from tests.renders import command, files, run
from tests.updates.changing import after, append, before, change, move, write

OWN = "    # The service's own: `uv add{}` puts them here.\n"


def own_dependencies(project: Path) -> None:
    """What `uv add` puts into the owner's block."""
    after(project, "pyproject.toml", OWN.format(""), '    "tenacity>=9.0",\n    "jinja2>=3.1.4",\n')


def own_dev_dependencies(project: Path) -> None:
    """What `uv add --dev` puts into the owner's block."""
    after(project, "pyproject.toml", OWN.format(" --dev"), '    "types-pyyaml>=6.0.12",\n')


def released(project: Path) -> None:
    """Versions, a better description and the metadata of a package."""
    change(
        project,
        "pyproject.toml",
        '\nname = "my-service"\nversion = "0.1.0"\n',
        '\nname = "my-service"\nversion = "1.4.2"\n',
    )
    change(
        project,
        "pyproject.toml",
        'description = "A small FastAPI service."\nauthors',
        'description = "Sells apples and pears."\nauthors',
    )
    after(project, "pyproject.toml", 'readme = "README.md"\n', 'keywords = ["shop", "fruit"]\n')


def ruff_rules(project: Path) -> None:
    """More rules, and exceptions for the tests."""
    change(project, "pyproject.toml", '"SIM", "UP", "W"]', '"SIM", "T20", "UP", "W"]')
    before(
        project,
        "pyproject.toml",
        "\n[tool.plinth]\n",
        '\n[tool.ruff.lint.per-file-ignores]\n"tests/*" = ["B011"]\n',
    )


def mypy_overrides(project: Path) -> None:
    """A library without types."""
    before(
        project,
        "pyproject.toml",
        "\n[tool.pytest.ini_options]\n",
        '\n[[tool.mypy.overrides]]\nmodule = "boto3.*"\nignore_missing_imports = true\n',
    )


def stricter_tests(project: Path) -> None:
    """More coverage, and a marker for slow tests."""
    change(project, "pyproject.toml", "fail_under = 80\n", "fail_under = 70\n")
    after(
        project,
        "pyproject.toml",
        'testpaths = ["tests"]\n',
        'markers = ["slow: needs a database"]\n',
    )


def narrow_lines(project: Path) -> None:
    """Lines of 88 characters, and everything formatted so."""
    change(project, "pyproject.toml", "line-length = 100\n", "line-length = 88\n")
    reformat(project)


def single_quotes(project: Path) -> None:
    """Another style of quotes, and everything formatted so."""
    before(
        project,
        "pyproject.toml",
        "\n[tool.ruff.lint]\n",
        '\n[tool.ruff.format]\nquote-style = "single"\n',
    )
    reformat(project)


def reformat(project: Path) -> None:
    """Format with the project's own settings, as `make format` does."""
    done = run(command("ruff"), "format", "--no-cache", ".", cwd=project)
    assert done.returncode == 0, done.stderr


def own_targets(project: Path) -> None:
    """Targets in own.mk."""
    write(
        project,
        "own.mk",
        "export TZ = UTC\n\n.PHONY: fixtures\n# Load the fixtures\nfixtures: $(UV)\n"
        "\t$(UV) run python -m my_service.fixtures\n",
    )


def targets_in_the_makefile(project: Path) -> None:
    """Targets and flags in the Makefile itself."""
    before(
        project,
        "Makefile",
        ".PHONY: lint\n",
        ".PHONY: migrate\n# Migrate the database\nmigrate: $(UV)\n"
        "\t$(UV) run alembic upgrade head\n\n",
    )
    change(
        project,
        "Makefile",
        "\t$(UV) run coverage run $(GREENLETS) -m pytest\n",
        "\t$(UV) run coverage run $(GREENLETS) -m pytest $(ARGS)\n",
    )
    change(
        project,
        "Makefile",
        "\t$(UV) run ruff format --check\n",
        "\t$(UV) run ruff format --check --diff\n",
    )


def sample_values(project: Path) -> None:
    """Other values in sample.env, and a variable between the template's."""
    change(project, "sample.env", "#LOG_LEVEL=INFO\n", "LOG_LEVEL=WARNING\n")
    change(
        project,
        "sample.env",
        "#TRUSTED_PROXIES=10.0.0.0/8,fd00::/8\n",
        "#TRUSTED_PROXIES=10.9.0.0/16\n",
    )


def ignored_files(project: Path) -> None:
    """Lines at the end of .gitignore."""
    append(project, ".gitignore", ".idea/\n*.sqlite3\nnode_modules/\n")


def windows_line_ends(project: Path) -> None:
    """A file that an editor on Windows saved."""
    for path in ("docs/operation.md", "sample.env"):
        file = project / path
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


def executable_scripts(project: Path) -> None:
    """Executable bits."""
    (project / "smoke.py").chmod(0o755)


def deploy_job(project: Path) -> None:
    """A second job in the workflow."""
    append(
        project,
        ".github/workflows/ci.yml",
        "\n  deploy:\n    needs: test\n    if: github.ref == 'refs/heads/main'\n"
        "    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
        "      - run: ./deploy.sh\n        env:\n          TOKEN: ${{ secrets.DEPLOY_TOKEN }}\n",
    )


def matrix_of_pythons(project: Path) -> None:
    """Another runner, and more versions of Python."""
    workflow = ".github/workflows/ci.yml"
    first = "    runs-on: ubuntu-latest\n    timeout-minutes: 15\n    strategy:\n"
    change(project, workflow, first, first.replace("latest", "24.04"))
    change(project, workflow, '["3.11", "3.14"]', '["3.11", "3.12", "3.13", "3.14"]')


def own_workflow(project: Path) -> None:
    """A workflow of its own."""
    write(
        project,
        ".github/workflows/nightly.yml",
        "name: Nightly\non:\n  schedule:\n    - cron: '0 3 * * *'\njobs:\n  test:\n"
        "    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
        "      - run: make install test\n",
    )


def packages_in_the_image(project: Path) -> None:
    """Packages of Debian in the image, and a folder for data."""
    after(
        project,
        "Dockerfile",
        "WORKDIR /app\nCOPY --from=build /venv /venv\n",
        "RUN apt-get update \\\n    && apt-get install --yes --no-install-recommends libpq5 \\\n"
        "    && rm -rf /var/lib/apt/lists/*\n",
    )
    change(project, "Dockerfile", "# RUN install --directory", "RUN install --directory")


def other_base_image(project: Path) -> None:
    """Another tag of the base image, and a build argument."""
    change(project, "Dockerfile", "-slim AS base\n", "-slim-bookworm AS base\n")
    change(
        project,
        "Dockerfile",
        "    UV_NO_CACHE=1 \\\n",
        "    UV_NO_CACHE=1 \\\n    UV_HTTP_TIMEOUT=120 \\\n",
    )


def database_service(project: Path) -> None:
    """A database beside the service."""
    before(
        project,
        "compose.yaml",
        "\n  caddy:\n",
        "\n  db:\n    image: postgres:17-alpine\n    environment:\n"
        "      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-}\n    networks:\n      - backend\n"
        "    volumes:\n      - db_data:/var/lib/postgresql/data\n",
    )
    change(
        project,
        "compose.yaml",
        "  # app_data:\n  caddy_data:\n",
        "  # app_data:\n  caddy_data:\n  db_data:\n",
    )
    after(
        project,
        "compose.yaml",
        "      TRUSTED_PROXIES: 10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8\n",
        "      SHOP_DATABASE: postgresql://shop@db/shop\n",
    )


def container_limits(project: Path) -> None:
    """More memory, a volume for data and another delay."""
    change(
        project,
        "compose.yaml",
        '    security_opt: &no-new-privileges ["no-new-privileges:true"]\n    mem_limit: 256m\n',
        '    security_opt: &no-new-privileges ["no-new-privileges:true"]\n    mem_limit: 1g\n',
    )
    change(
        project,
        "compose.yaml",
        "    # volumes:\n    #   - app_data:/data\n",
        "    volumes:\n      - app_data:/data\n",
    )
    change(project, "compose.yaml", "  # app_data:\n", "  app_data:\n")
    change(project, "compose.yaml", '      SHUTDOWN_DELAY: "2"\n', '      SHUTDOWN_DELAY: "5"\n')


def own_site(project: Path) -> None:
    """Caddy serves the pages of the shop too, with another policy."""
    change(
        project,
        "Caddyfile",
        "\tredir / {$ROOT_PATH}/docs\n",
        "\thandle /shop/* {\n\t\troot * /srv\n\t\tfile_server\n\t}\n\tredir / /shop/\n",
    )
    change(
        project,
        "Caddyfile",
        "header ?Referrer-Policy no-referrer\n",
        "header ?Referrer-Policy same-origin\n",
    )
    append(
        project, "Caddyfile", "\nwww.shop.example.com {\n\tredir https://shop.example.com{uri}\n}\n"
    )


def thresholds(project: Path) -> None:
    """Other thresholds and durations of alerts."""
    change(
        project,
        "monitoring/alerts.yml",
        "          job_route:http_request_duration_seconds:p95_5m > 1\n",
        "          job_route:http_request_duration_seconds:p95_5m > 0.5\n",
    )
    change(
        project,
        "monitoring/alerts.yml",
        "        expr: process_open_fds / process_max_fds > 0.8\n        for: 5m\n",
        "        expr: process_open_fds / process_max_fds > 0.6\n        for: 10m\n",
    )


def own_alerts(project: Path) -> None:
    """Alert rules in a file of their own."""
    write(
        project,
        "monitoring/shop.yml",
        "groups:\n  - name: shop\n    rules:\n      - alert: NoOrders\n"
        "        expr: rate(orders_total[1h]) == 0\n        for: 2h\n",
    )
    after(project, "monitoring/prometheus.yml", "  - alerts.yml\n", "  - shop.yml\n")


def own_panel(project: Path) -> None:
    """A panel at the end of the dashboard, as Grafana exports it."""
    path = project / "monitoring/grafana/dashboards/service.json"
    dashboard = json.loads(path.read_text("utf-8"))
    panel = json.loads(json.dumps(dashboard["panels"][-1]))
    panel |= {"id": 90, "title": "Orders"}
    panel["gridPos"] |= {"x": 0, "y": 48}
    panel["targets"][0]["expr"] = "sum by (currency) (rate(orders_total[$__rate_interval]))"
    dashboard["panels"].append(panel)
    dashboard["version"] += 1
    path.write_text(json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n", "utf-8")


def own_dashboard(project: Path) -> None:
    """A dashboard beside the template's, as docs/prometheus.md says."""
    write(
        project,
        "monitoring/grafana/dashboards/orders.json",
        '{"uid": "orders", "title": "Orders", "schemaVersion": 41, "panels": []}\n',
    )


def recipients(project: Path) -> None:
    """Where alerts go."""
    path = "monitoring/alertmanager.yml"
    change(project, path, 'channel: "#alerts"', 'channel: "#shop-alerts"')
    change(project, path, 'to: "oncall@example.com"', 'to: "shop@example.com"')
    change(project, path, '"localhost:587"', '"mail.example.com:587"')


def readme_rewritten(project: Path) -> None:
    """A README about the shop, not about the template."""
    (project / "README.md").write_text(
        "# Shop API\n\nSells apples and pears.\n\n## Run it\n\n```sh\nmake install dev\n```\n\n"
        "## Read more\n\n- [Read the log](docs/log.md)\n- [Variables](docs/variables.md)\n"
        "- [Operation](docs/operation.md)\n",
        "utf-8",
    )


def readme_section(project: Path) -> None:
    """A section of the README between the template's."""
    before(
        project,
        "README.md",
        "## Read more\n",
        "## Orders\n\n`POST /orders` sells fruit. Ask the shop team for a token.\n\n",
    )


def readme_introduction(project: Path) -> None:
    """Another title and an introduction of the README."""
    change(
        project,
        "README.md",
        "# My Service\n\nA small FastAPI service.\n",
        "# Shop API\n\nSells apples and pears to everyone.\n\n"
        "The shop team maintains it: shop@example.com.\n",
    )


def own_page(project: Path) -> None:
    """A page in docs/, with a link in the README."""
    write(project, "docs/orders.md", "# Orders\n\nAn order is paid before it is packed.\n")
    after(
        project,
        "README.md",
        "- [Updates](docs/updates.md): `make update` merges a newer version of the template.\n",
        "- [Orders](docs/orders.md): what we sell.\n",
    )


def notes_in_docs(project: Path) -> None:
    """Own variables in a table, and own notes at the end of a page."""
    before(
        project,
        "docs/variables.md",
        "\n## Your own settings\n",
        "| `SHOP_URL` | the shop that we sell for | `http://localhost:9000` |\n",
    )
    append(project, "docs/operation.md", "\n## Our cluster\n\nTwo instances run in Frankfurt.\n")


def deleted_files(project: Path) -> None:
    """Files that this team does not need."""
    (project / "docs/recipes.md").unlink()
    change(
        project,
        "README.md",
        "- [Recipes](docs/recipes.md): calls to other services, traces, errors as an API, CORS.\n",
        "",
    )
    (project / "smoke.py").unlink()
    change(
        project,
        "Makefile",
        ".PHONY: smoke\n# Check the responses of the running stack from outside\n"
        "smoke:\n\t@python3 smoke.py\n\n",
        "",
    )


def renamed_package(project: Path) -> None:
    """The package has another name, in every file."""
    move(project, "my_service", "shop")
    for path in files(project):
        file = project / path
        text = file.read_text("utf-8")
        new = text.replace("my_service", "shop").replace("my-service", "shop")
        if new != text:
            file.write_text(new, "utf-8")


def in_a_monorepo(project: Path) -> None:
    """The project is a subfolder of a repository with other things."""
    inner = project / "services" / "shop"
    inner.mkdir(parents=True)
    for path in sorted(project.iterdir()):
        if path.name not in (".git", "services"):
            shutil.move(path, inner / path.name)
    write(project, "README.md", "# Everything that we have\n")
    write(project, "services/mail/main.py", "print('mail')\n")
