"""The start of a service with a package that does not fit."""

import re
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from checks.imitated import Change
from checks.served import serve
from tests.conftest import PROJECT

RUN = "import runpy; runpy.run_module('my_service', run_name='__main__')"


def check_refusal(
    folder: Path, change: Change, requirement: str, program: str = RUN, **variables: str
) -> None:
    """Start the service with a changed package: one line names its version, lack and remedy."""
    first = f"from checks.imitated import Change, imitate; imitate({change!r})"
    with serve(folder, "-c", f"{first}; {program}", **variables) as service:
        assert service.wait() == 1
    assert [line["level"] for line in service.lines] == ["CRITICAL"], service.lines
    assert "exception" not in service.lines[0]
    [message] = service.messages()
    package = re.split("[<>=]", requirement)[0]
    assert message.startswith(f"{package} {version(package)} does not fit this service: ")
    assert change.lacking in message
    assert message.endswith(f"; install {requirement} (docs/operation.md, Security releases)")


def is_pin(requirement: str) -> bool:
    """Return whether `pyproject.toml` has this requirement."""
    return f'"{requirement}"' in (PROJECT / "pyproject.toml").read_text("utf-8")


def unmarked(module: ModuleType, package: str) -> list[str]:
    """Return the methods that override one of the package's without `@override`."""
    return [
        f"{kind.__name__}.{name}"
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__
        for name, method in vars(kind).items()
        if not name.startswith("__") and not hasattr(method, "__override__")
        for base in kind.__mro__[1:]
        if base.__module__.startswith(f"{package}.") and callable(vars(base).get(name))
    ]
