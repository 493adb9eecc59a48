"""docs/recipes.md of a project: its code is copied into the project, checked and tested."""

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.renders import command, run

CHECKS = Path(__file__).parent / "recipe_checks.py"
SETTING = '\n\n    shop_url: str = "http://localhost:9000"'


def recipes(page: str) -> Iterator[tuple[str, str]]:
    """Yield each Python block with the module that the text before it names first."""
    parts = re.split(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    for text, code in zip(parts[::2], parts[1::2], strict=False):
        yield re.findall(r"`(\w+\.py)`", text)[0], code


def merge(module: str, recipe: str) -> str:
    """Return a module with a recipe in it.

    Functions replace those of the same name, and imports follow those of the module. All else comes
    before the next statement of the recipe that the module has, or at the end.
    """
    lines = module.splitlines()
    body = ast.parse(module).body
    known = {key(node): node for node in body}
    imports_end = max(node.end_lineno or 0 for node in body if is_import(node))
    place, edits = len(lines), []
    for node in reversed(ast.parse(recipe).body):
        start, end = span(node)
        text = recipe.splitlines()[start:end]
        if key(node) in known:
            place, end = span(known[key(node)])
            edits.append((place, end, text))
        elif is_import(node):
            edits.append((imports_end, imports_end, text))
        else:
            edits.append((place, place, text))
    for start, end, text in sorted(edits, key=lambda edit: -edit[0]):
        lines[start:end] = text
    return "\n".join([*lines, ""])


def key(node: ast.stmt) -> str:
    """Return the name of a function, otherwise the code of a statement."""
    if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
        return node.name
    return ast.unparse(node)


def span(node: ast.stmt) -> tuple[int, int]:
    """Return where the lines of a statement start and end, its decorators included."""
    parts: list[ast.stmt | ast.expr] = [node, *getattr(node, "decorator_list", [])]
    first = min(part.lineno for part in parts)
    return first - 1, node.end_lineno or first


def is_import(node: ast.stmt) -> bool:
    """Return whether a statement is an import."""
    return isinstance(node, ast.Import | ast.ImportFrom)


def test_recipes(install: Callable[[str], Path], tmp_path: Path) -> None:
    """A project with every recipe passes its checks, and the recipes do what the page says."""
    installed = install("all")
    project = tmp_path / "project"
    ignore = shutil.ignore_patterns("checks", ".venv", ".git", "uv.lock")
    shutil.copytree(installed, project, ignore=ignore)
    package = project / "my_service"
    rooms = set(package.glob("*.py"))
    config = package / "config.py"
    setting = '    shop_url: str = "http://localhost:9000"'
    config.write_text(
        config.read_text().replace("\n\n\nsettings =", f"\n\n{setting}\n\n\nsettings =")
    )
    found = list(recipes((project / "docs/recipes.md").read_text("utf-8")))
    assert len(found) == 6
    assert "type: ignore" not in "".join(code for _, code in found)
    for name, code in found:
        path = package / name
        path.write_text(merge(path.read_text("utf-8"), code) if path in rooms else code)
    shutil.copy(CHECKS, project / "tests/test_recipes.py")
    python = installed / ".venv/bin/python"
    reported = ("--fail-under=100", "--include=*/outbound.py,*/problems.py")
    checks: list[tuple[str | Path, ...]] = [
        (command("ruff"), "check", "--no-cache", "--fix-only", "--select=I", *rooms),
        (command("ruff"), "format", "--no-cache", *rooms),
        (command("ruff"), "format", "--no-cache", "--check", package, project / "docs"),
        (command("ruff"), "check", "--no-cache"),
        (python, "-m", "mypy", "."),
        (python, "-m", "coverage", "run", "-m", "pytest", "-q", "tests"),
        (python, "-m", "coverage", "combine", "--quiet"),
        (python, "-m", "coverage", "report", *reported),
    ]
    for words in checks:
        done = run(*words, cwd=project)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
