"""Imports between modules, limits of their size, and files that an owner can delete."""

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.renders import COMBINATIONS, SOURCES, TEMPLATE, command, files, render, run

PACKAGE = SOURCES / SOURCES.name
INTERNAL = PACKAGE / "_internal"

# What each part of `_internal` may import besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "context": set(),
    "platforms": set(),
    "upstream": {"log"},
    "overrides": {"upstream"},
    "log": {"context", "platforms", "upstream"},
    "settings": {"log"},
    "asgi": {"context", "log", "platforms"},
    "server": {"context", "log", "asgi", "platforms"},
    "hypercorn": {"asgi", "overrides", "platforms", "server", "upstream"},
    "uvicorn": {"asgi", "overrides", "server", "upstream"},
    "begin": {"log", "upstream"},
    "early": {"begin", "log", "platforms"},
    "reports": set(),
    "version": set(),
    "sentry": {"context", "log", "asgi", "reports", "upstream"},
    "prometheus": {"context", "asgi", "reports"},
}

# In lines of `wc -l`, without options and with all of them; `rooms` are outside of `_internal`.
LIMITS = {
    "rooms": (480, 720),
    "named": (300, 300),
    "internal": (6_750, 7_800),
    "largest module": (220, 220),
    "tests": (400, 500),
}
NAMED = ("config.py", "exception_handlers.py", "logging.py", "middleware.py")
TOP = {*NAMED, "__init__.py", "__main__.py", "main.py", "resources.py"}


def imports(source: Path, package: Path) -> Iterator[str]:
    """Yield the modules of the package that a file imports, relative to the package."""
    folder = source.relative_to(package).parent.parts
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = folder[: len(folder) - node.level + 1]
            assert node.level <= len(folder) + 1, f"{source} imports from outside of the package"
            module = (*start, *(node.module or "").split("."))
            for name in (alias.name for alias in node.names):
                dotted = ".".join(part for part in module if part)
                inner = package.joinpath(*dotted.split("."), f"{name}.py")
                yield f"{dotted}.{name}".strip(".") if inner.exists() else dotted


def lines(*paths: Path) -> int:
    """Return the number of lines of all files together, as `wc -l` counts them."""
    return sum(path.read_text("utf-8").count("\n") for path in paths)


def test_layers_of_internal() -> None:
    """`_internal` imports no room, and each of its parts imports only lower layers."""
    graph: dict[str, set[str]] = {}
    for source in sorted(INTERNAL.rglob("*.py")):
        part = source.relative_to(INTERNAL).parts[0].removesuffix(".py")
        for module in imports(source, PACKAGE):
            assert module.startswith("_internal"), f"{source.name} imports the room {module}"
            graph.setdefault(part, set()).add(module.split(".")[1])
    for part, imported in graph.items():
        print(f"{part:12} <- {', '.join(sorted(imported - {part})) or '-'}")
        assert imported - {part} <= MAY_IMPORT.get(part, set()), part


def test_no_circular_imports(bake: Callable[..., Path]) -> None:
    """The modules of the package import each other in one direction."""
    package = bake(**COMBINATIONS["all"]) / "my_service"
    graph = {
        ".".join(source.relative_to(package).with_suffix("").parts).removesuffix(".__init__"): {
            *imports(source, package)
        }
        for source in package.rglob("*.py")
    }
    order = [*TopologicalSorter(graph).static_order()]  # raises CycleError
    print("\n".join(f"{name:16} <- {', '.join(sorted(graph[name]))}"
                    for name in order if name in graph and "_internal" not in name))  # fmt: skip
    assert order[-1] in {"main", "__main__"}


def test_internal_contains_no_answer(tmp_path: Path, home: Path) -> None:
    """`_internal` is byte-identical in projects with the same options."""
    for source in INTERNAL.rglob("*.py"):
        assert not re.search(r"<<|# ?<%|<#", source.read_text("utf-8")), source.name
    found = []
    for number, version in enumerate(("3.11", "3.14")):
        folder = tmp_path / str(number)
        folder.mkdir()
        name = f"Shop {number}"
        project = render(
            folder, home, project_name=name, python_version=version, **COMBINATIONS["all"]
        )
        internal = project / project.name / "_internal"
        found.append({path: (internal / path).read_bytes() for path in files(internal)})
    assert found[0] == found[1]


@pytest.mark.parametrize("option", ["", "hypercorn", "uvicorn", "reports", "sentry", "prometheus"])
def test_map_of_internal(option: str) -> None:
    """The docstrings of `_internal` and of each option's package list every module."""
    package = INTERNAL / option
    tree = ast.parse((package / "__init__.py").read_text("utf-8"))
    assert len(tree.body) == 1
    text = ast.get_docstring(tree) or ""
    entries = re.findall(r"^ *((?:\w+, )*\w+)(?:/|$| {2,})", text, re.MULTILINE)
    listed = {name for entry in entries for name in entry.split(", ")}
    paths = {path.relative_to(package) for path in package.rglob("*.py")} - {Path("__init__.py")}
    of_options = {"hypercorn", "uvicorn", "reports", "sentry", "prometheus"}
    found = {part.removesuffix(".py") for path in paths for part in path.parts
             if path.parts[0] not in of_options and part != "__init__.py"}  # fmt: skip
    assert listed == found


@pytest.mark.parametrize("combination", ["none", "all"])
def test_sizes(combination: str, bake: Callable[..., Path]) -> None:
    """No part of a project is larger than its limit."""
    project = bake(**COMBINATIONS[combination])
    package = project / "my_service"
    rooms = [*package.glob("*.py"), *package.glob("routers/*.py")]
    internal = [*package.glob("_internal/**/*.py")]
    sizes = {
        "rooms": lines(*rooms),
        "named": lines(*(package / name for name in NAMED)),
        "internal": lines(*internal),
        "largest module": max(map(lines, [*rooms, *internal])),
        "tests": lines(*project.glob("tests/*.py")),
    }
    print(sizes)
    assert {name: size for name, size in sizes.items()
            if size > LIMITS[name][combination == "all"]} == {}  # fmt: skip
    if combination == "none":
        assert {path.name for path in package.glob("*.py")} == TOP


def test_example_can_be_deleted(install: Callable[[str], Path], tmp_path: Path) -> None:
    """Every check of a project passes without `hello.py`, its test and its lines."""
    installed = install("all")
    project = tmp_path / "project"
    ignore = shutil.ignore_patterns("checks", ".venv", ".git", "uv.lock")
    shutil.copytree(installed, project, ignore=ignore)
    (project / "my_service/routers/hello.py").unlink()
    (project / "tests/test_hello.py").unlink()
    routers = project / "my_service/routers/__init__.py"
    kept = [line for line in routers.read_text("utf-8").splitlines(keepends=True)
            if "hello" not in line]  # fmt: skip
    routers.write_text("".join(kept))
    assert not re.search(r"/hello|/divide", (project / "smoke.py").read_text("utf-8"))
    python = installed / ".venv/bin/python"
    for words in (
        (python, "-m", "coverage", "run", "-m", "pytest", "-q"),
        (python, "-m", "coverage", "combine", "--quiet"),
        (python, "-m", "coverage", "report"),
        (python, "-m", "mypy", "."),
        (command("ruff"), "check", "--no-cache"),
        (command("ruff"), "format", "--no-cache", "--check"),
    ):
        done = run(*words, cwd=project)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


def test_names_of_test_files_are_unique() -> None:
    """A file name in a test report is unique in the template and its projects."""
    names = [path.name for folder in (TEMPLATE / "tests", SOURCES / "tests")
             for path in folder.rglob("*.py")
             if path.name not in ("__init__.py", "conftest.py")]  # fmt: skip
    assert sorted(names) == sorted(set(names))
