"""A version of Loguru that moved a private name that the log needs ends the start."""

from importlib import import_module
from pathlib import Path

import pytest

from checks.imitated import Change
from checks.refusals import check_refusal, is_pin
from my_service._internal.upstream import required

REQUIREMENT = "loguru>=0.7.3,<0.8"

CHANGES = {
    "module gone": Change("loguru._logger", "", None, "loguru._logger"),
    "class renamed": Change("loguru", r"\bLogger\b", "BaseLogger", "Logger"),
    "context renamed": Change("loguru._logger", r"\bcontext\b(?= = ContextVar|\.[grs]et\()", "_context", "context"),
    "method renamed": Change("loguru", r"\b_log\b", "_emit", "_log"),
    "method bypassed": Change("loguru", r'__self\._log\("INFO"', '__self._emit("INFO"', "_log in Logger.info"),
    "parameter added": Change("loguru", r"def _log\(self, level,", "def _log(self, level, name,", "Logger._log(self, level, from_decorator, "),
    "options in another order": Change("loguru._logger", r"core, exception, depth,", "core, depth, exception,", "Logger.__init__(self, core, exception, depth, "),
    "core renamed": Change("loguru", r"\b_core\b", "_state", "Logger._core"),
    "attribute of the core renamed": Change("loguru", r"\bmin_level\b", "lowest", "Core.min_level"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_version_that_does_not_fit(change: Change, tmp_path: Path) -> None:
    """The log ends the process with one JSON line."""
    check_refusal(tmp_path, change, REQUIREMENT)


def test_under_any_other_server(tmp_path: Path) -> None:
    """A server that imports the application ends with the same line."""
    check_refusal(tmp_path, CHANGES["method renamed"], REQUIREMENT, "import my_service.main")


def test_another_package_that_is_missing() -> None:
    """An import that fails in another package keeps its own error."""
    with pytest.raises(ModuleNotFoundError), required(REQUIREMENT):
        import_module("missing")


def test_the_remedy_is_the_pin() -> None:
    """The line suggests the versions that `pyproject.toml` allows."""
    assert is_pin(REQUIREMENT)
