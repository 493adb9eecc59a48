"""Modules that the service imports in production and in development."""

import os
import subprocess
import sys

import pytest

from checks.served import SERVER

TOOLS = ["pygments", "pytest", "coverage", "httpx"]
if SERVER != "uvicorn":  # which imports it if it is installed
    TOOLS.append("watchfiles")
PRINT_MODULES = (
    f"import sys, my_service.main, my_service._internal.{SERVER}.server; print(*sys.modules)"
)


def modules(**variables: str) -> set[str]:
    """Return the top-level modules that the service imports in a fresh process."""
    printed = subprocess.run(
        [sys.executable, "-c", PRINT_MODULES],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return {name.partition(".")[0] for name in printed.split()}


@pytest.mark.parametrize("tool", TOOLS)
def test_production_imports_no_tool(tool: str) -> None:
    """Production does not import development tools, which take time and memory."""
    assert tool not in modules(ENV="production", COVERAGE_PROCESS_CONFIG="")


def test_a_style_is_checked_in_development_only() -> None:
    """Pygments is imported to check its style only in development, which uses it."""
    assert "pygments" in modules(ENV="development", PYGMENTS_STYLE="monokai")
