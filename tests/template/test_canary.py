"""The rows of `make canary`, their installation, table and exit code, without the network."""

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests import canary
from tests.canary import HIGHEST, OF_CAPS, RESOLUTIONS, UNCAPPED, Result, Row
from tests.renders import CHECKS, COMBINATIONS, SERVERS

PYTHONS = ["3.11", "3.12", "3.14"]
PASSED = Result(Row("3.11", HIGHEST, "uvicorn"), {"loguru": "0.7.3", "orjson": "3.13.0"}, 9)
FAILED = Result(Row("3.11", "lowest-direct", "uvicorn"), {}, 0, 0, "`uv pip` ended with 1")
ALLOWED = Result(
    Row("3.11", UNCAPPED, "uvicorn"), {"loguru": "0.8.0", "orjson": "3.13.0"}, 8, 1, "a.py::x[a|b]"
)

REQUIREMENTS = {
    "loguru>=0.7.3,<0.8": "loguru>=0.7.3",
    "fastapi>=0.133,!=0.137.0,<=1": "fastapi!=0.137.0,>=0.133",
    "httpx[http2]>=0.28,<0.29": "httpx[http2]>=0.28",
    "uvloop>=0.21,<1; sys_platform != 'win32'": "uvloop>=0.21; sys_platform != 'win32'",
    "ruff": "ruff",
}


@pytest.mark.parametrize(("text", "expected"), REQUIREMENTS.items(), ids=REQUIREMENTS)
def test_uncapped(text: str, expected: str) -> None:
    """Only upper bounds are removed from a requirement."""
    assert canary.uncapped(text) == expected


@pytest.mark.parametrize("text", ["ruff==0.17.0", "ruff~=0.17"])
def test_uncapped_refuses_other_bounds(text: str) -> None:
    """A requirement whose bound cannot be removed is an error that names it."""
    with pytest.raises(ValueError, match=text):
        canary.uncapped(text)


@pytest.mark.parametrize("server", SERVERS)
def test_without_caps(server: str, bake: Callable[..., Path]) -> None:
    """No requirement of a project has an upper bound then; all else stays."""
    answers = COMBINATIONS["all"] | {"server": server}
    text = (bake(**answers) / "pyproject.toml").read_text("utf-8")
    before, after = tomllib.loads(text), tomllib.loads(canary.without_caps(text))
    for part, name in (("project", "dependencies"), ("dependency-groups", "dev")):
        requirements = after[part].pop(name)
        assert len(requirements) == len(before[part].pop(name))
        assert not [text for text in requirements if "<" in text]
    assert after == before


def test_tests_of_caps_exist() -> None:
    """The name that rows without caps leave out is that of a test."""
    found = [path for path in CHECKS.rglob("test_*.py") if f"def {OF_CAPS}(" in path.read_text()]
    assert found


def test_rows() -> None:
    """Without arguments it is each resolution and server, on the oldest and newest Python."""
    found = canary.rows(PYTHONS, [])
    assert len(found) == len({*found}) == 2 * len(SERVERS) * len(RESOLUTIONS)
    assert {row.python for row in found} == {"3.11", "3.14"}


def test_rows_of_one_python() -> None:
    """Where there is one Python, no row is repeated."""
    assert len(canary.rows(["3.13"], [])) == len(SERVERS) * len(RESOLUTIONS)


def test_arguments_choose_rows() -> None:
    """Arguments narrow the rows, and can name a Python between the oldest and the newest."""
    arguments = ["--python", "3.12", "--server", "uvicorn", "--resolution", UNCAPPED]
    assert canary.rows(PYTHONS, arguments) == [Row("3.12", UNCAPPED, "uvicorn")]
    with pytest.raises(SystemExit):
        canary.rows(PYTHONS, ["--python", "3.13"])


def imitate(program: str, *_: str, cwd: Path) -> CompletedProcess[str]:  # noqa: ARG001
    """Be a Python 3.14 in SITE_PYTHONS, and a uv that finds 3.14 elsewhere."""
    return CompletedProcess(program, 0, "3.14\n" if program == "/another/python" else "/elsewhere")


def test_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first Python of a version counts: this one, then SITE_PYTHONS, then what uv finds."""
    version = "{}.{}".format(*sys.version_info)
    monkeypatch.setenv("SITE_PYTHONS", "/another/python")
    monkeypatch.setattr(canary, "run", imitate)
    assert canary.interpreters()[version] == sys.executable
    assert canary.interpreters()["3.14"] == "/another/python"


def test_exit_code() -> None:
    """Only a row that may not fail decides the exit code."""
    assert canary.exit_code([PASSED, ALLOWED]) == 0
    assert canary.exit_code([PASSED, ALLOWED, FAILED]) == 1


def test_table() -> None:
    """A row has its counts, its first failure and the versions that the highest row lacks."""
    _, _, *lines = canary.table([PASSED, FAILED, ALLOWED]).splitlines()
    assert lines == [
        "| 3.11 | highest | uvicorn |  | 9 | 0 | 0 |  |",
        "| 3.11 | lowest-direct | uvicorn |  | 0 | 0 | 0 | `uv pip` ended with 1 |",
        "| 3.11 | without-caps | uvicorn | loguru 0.8.0 | 8 | 1 | 0 | allowed: a.py::x[a&#124;b] |",
        "",
        "highest, 3.11, uvicorn: loguru 0.7.3, orjson 3.13.0",
    ]


def test_a_failed_command(tmp_path: Path) -> None:
    """A command that fails is named, and its output is in the row's file."""
    output = tmp_path / "row.log"
    words = (sys.executable, "-c", "print('why'); raise SystemExit(3)")
    with pytest.raises(canary.CommandError, match=r"^`python\S* -c .*` ended with 3$"):
        canary.call(tmp_path, output, *words)
    assert "\nwhy\n" in output.read_text("utf-8")


def test_a_late_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that takes too long is ended, and fails."""
    monkeypatch.setattr(canary, "LIMIT", 0.1)
    words = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(canary.CommandError, match=r"took over 0\.1 seconds$"):
        canary.call(tmp_path, tmp_path / "row.log", *words)


def test_counted(tmp_path: Path) -> None:
    """Failures and errors are named, and skipped tests are not counted."""
    (tmp_path / "report.xml").write_text(
        "<testsuites><testsuite>"
        "<testcase classname='checks.log.test_sink' name='good'/>"
        "<testcase classname='checks.log.test_sink' name='bad[x]'><failure/></testcase>"
        "<testcase classname='tests.test_main' name='worse'><error/></testcase>"
        "<testcase classname='tests.test_main' name='other'><skipped/></testcase>"
        "</testsuite></testsuites>"
    )
    names = ["checks/log/test_sink.py::bad[x]", "tests/test_main.py::worse"]
    assert canary.counted(tmp_path / "report.xml") == (1, names)
