"""The version of the service."""

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def service_version(distribution: str) -> str:
    """Return the version of the installed service, else that in its pyproject.toml; or empty.

    An image has the package and its pyproject.toml, but does not install them.
    """
    with suppress(PackageNotFoundError):
        return version(distribution)
    import tomllib  # an installed service needs no parser

    with suppress(OSError, ValueError, KeyError):
        project = tomllib.loads(_PYPROJECT.read_text("utf-8"))["project"]
        return str(project["version"]) if project["name"] == distribution else ""
    return ""
