"""The edited projects: which answers each has, and what its owner changed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.renders import Answers, commit
from tests.updates import edits_code as code
from tests.updates import edits_files as around

Edit = Callable[[Path], None]


@dataclass(frozen=True)
class Edited:
    """A project with the edits of its owner.

    Attributes:
        name: a short name for the table.
        answers: the combination of answers that it is scaffolded with (`tests/renders.py`).
        edits: what the owner did, in this order.
        meant: only at places that are meant for the owner: no update may conflict.
        folder: where the project is in its repository, if not at the top.
        package: the name of its package.
        restyled: whether its own style of code is not the template's.
        moves: files that the owner renamed, old name -> new name.
    """

    name: str
    answers: str
    edits: tuple[Edit, ...]
    meant: bool = False
    folder: str = ""
    package: str = "my_service"
    restyled: bool = False
    moves: dict[str, str] = field(default_factory=dict)

    def make(self, fresh: Path) -> None:
        """Edit a fresh render in its repository, and commit."""
        for edit in self.edits:
            edit(fresh)
        if self.edits:
            commit(fresh, "A year of work")


MOVED_TESTS = {
    f"tests/test_{name}.py": f"tests/unit/test_{name}.py"
    for name in (
        "config", "exception_handlers", "health", "hello", "logging", "main", "middleware",
        "resources",
    )
}  # fmt: skip

PROJECTS = [
    Edited("untouched", "none", (), meant=True),
    Edited(
        "first month",
        "none",
        (
            code.items_router,
            code.own_settings,
            code.settings_at_the_end_of_the_sample,
            around.own_targets,
            around.own_workflow,
        ),
        meant=True,
    ),
    Edited(
        "shop",
        "all",
        (
            code.items_router,
            code.users_router,
            code.example_deleted,
            code.database,
            code.own_settings,
            code.worker,
            around.readme_section,
        ),
        meant=True,
    ),
    Edited(
        "API errors",
        "uvicorn+all",
        (code.problems, code.cors, code.own_middleware, code.own_fixture),
        meant=True,
    ),
    Edited("own lines", "none", (code.log_field, code.line_writer, code.own_fixture), meant=True),
    Edited(
        "dependencies",
        "none",
        (
            around.own_dependencies,
            around.own_dev_dependencies,
            around.released,
            around.ignored_files,
            around.own_targets,
        ),
        meant=True,
    ),
    Edited(
        "database",
        "all",
        (
            code.database,
            around.database_service,
            around.packages_in_the_image,
            around.own_dependencies,
            code.settings_at_the_end_of_the_sample,
        ),
    ),
    Edited(
        "operators",
        "docker",
        (around.other_base_image, around.container_limits, around.own_site, around.sample_values),
    ),
    Edited(
        "monitored",
        "prometheus",
        (around.thresholds, around.own_alerts, code.own_metric, around.recipients),
    ),
    Edited(
        "dashboard", "prometheus", (around.own_dashboard, around.recipients, code.health_version)
    ),
    Edited(
        "reported",
        "sentry+docker",
        (code.sentry_rates, code.log_field, around.container_limits, around.notes_in_docs),
    ),
    Edited(
        "strict",
        "none",
        (around.ruff_rules, around.mypy_overrides, around.stricter_tests, code.changed_tests),
    ),
    Edited(
        "88 characters",
        "none",
        (code.items_router, code.cors, around.narrow_lines),
        restyled=True,
    ),
    Edited(
        "single quotes",
        "none",
        (code.items_router, around.single_quotes),
        restyled=True,
    ),
    Edited(
        "renamed package",
        "none",
        (code.items_router, code.own_settings, around.renamed_package),
        package="shop",
    ),
    Edited(
        "monorepo",
        "none",
        (code.items_router, code.own_settings, around.readme_section, around.in_a_monorepo),
        folder="services/shop",
    ),
    Edited(
        "deleted files",
        "docker",
        (code.items_router, code.example_deleted, around.deleted_files),
    ),
    Edited(
        "CI",
        "none",
        (around.matrix_of_pythons, around.deploy_job, around.targets_in_the_makefile),
    ),
    Edited(
        "writers",
        "none",
        (around.readme_rewritten, around.notes_in_docs),
    ),
    Edited(
        "introduced",
        "none",
        (around.readme_introduction, around.own_page, around.released),
    ),
    Edited("patched as upstream", "none", (code.patch_as_upstream, code.items_router)),
    Edited("patched elsewhere", "none", (code.patch_of_the_machinery,)),
    Edited(
        "factory",
        "uvicorn+all",
        (code.application_factory, code.validation_log),
    ),
    Edited("metadata", "none", (code.api_metadata, code.static_files, code.health_version)),
    Edited("Windows", "docker", (around.windows_line_ends, around.executable_scripts)),
    Edited(
        "moved",
        "none",
        (code.example_renamed, code.tests_moved),
        moves=MOVED_TESTS
        | {
            "my_service/routers/hello.py": "my_service/routers/greetings.py",
            "tests/test_hello.py": "tests/unit/test_greetings.py",
        },
    ),
    Edited(
        "a year",
        "uvicorn+all",
        (
            code.items_router,
            code.users_router,
            code.database,
            code.own_settings,
            code.problems,
            code.log_field,
            code.variables_of_the_tests,
            around.own_dependencies,
            around.released,
            around.ruff_rules,
            around.readme_section,
            around.database_service,
            around.own_site,
            around.deploy_job,
            around.thresholds,
            around.own_panel,
            around.ignored_files,
        ),
    ),
]

NAMED = {edited.name: edited for edited in PROJECTS}

# Answers that owners change later, and the projects on which they do.
CHANGED_ANSWERS: list[tuple[Answers, str]] = [
    (
        {"use_sentry": True},
        "first month, own lines, dependencies, introduced, operators, renamed package",
    ),
    (
        {"use_prometheus": True},
        "first month, own lines, dependencies, strict, metadata, reported",
    ),
    ({"use_docker": True}, "first month, CI, writers, monitored, monorepo"),
    (
        {"use_sentry": True, "use_prometheus": True, "use_docker": True},
        "first month, own lines, dependencies, introduced, 88 characters",
    ),
    ({"server": "uvicorn"}, "first month, shop, dependencies"),
    ({"server": "hypercorn"}, "API errors, a year"),
    ({"use_sentry": False}, "shop"),
    ({"use_docker": False}, "API errors"),
    ({"use_prometheus": False}, "database, monitored"),
]
