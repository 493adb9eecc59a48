"""Importing a part of the package has no side effects: only `begin` begins the log."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from checks.served import serve
from tests.conftest import PROJECT


def run_python(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a subprocess and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "COVERAGE_PROCESS_CONFIG": ""} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_part_needs_no_settings(tmp_path: Path) -> None:
    """A program that only masks secrets ignores variables that the service would refuse."""
    code = "from my_service._internal.log.redaction import is_secret; print(is_secret('password'))"
    done = run_python(code, tmp_path, ENV="banana")
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


IMPORT_ALL = """
import json, logging, os, pkgutil, signal, sys, threading, warnings
from importlib import import_module
from loguru import logger
from loguru._logger import Logger
import my_service

STARTING = {"__main__", "main", "_internal.begin", "_internal.early"}

def state():
    return {
        "excepthook": sys.excepthook,
        "unraisablehook": sys.unraisablehook,
        "threading.excepthook": threading.excepthook,
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "callHandlers": logging.Logger.callHandlers,
        "level": logging.getLogger().level,
        "handlers": [*logging.getLogger().handlers],
        "showwarning": warnings.showwarning,
        "loguru's handlers": dict(logger._core.handlers),
        "loguru's method": Logger._log,
        "environ": dict(os.environ),
        "threads": threading.enumerate(),
    }

before = state()
found = [module.name for module in pkgutil.walk_packages(my_service.__path__, "my_service.")]
parts = [name for name in found if name.removeprefix("my_service.") not in STARTING]
for name in parts:
    import_module(name)
after = state()
changed = [name for name in before if before[name] != after[name]]
print(json.dumps({"left out": len(found) - len(parts), "imported": parts, "changed": changed}))
"""


def test_imports_change_nothing(tmp_path: Path) -> None:
    """Only the modules that start something change the state of the process."""
    done = run_python(IMPORT_ALL, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["changed"] == []
    assert told["left out"] == 4
    assert {"my_service.config", "my_service._internal.log.sink"} <= {*told["imported"]}


# Tests may run with SIGINT ignored, and subprocesses would inherit that.
SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from my_service._internal import begin
from my_service.config import settings
import atexit, time
from loguru import logger
"""
WAITING = f"""{SCRIPT}
atexit.register(lambda: logger.info("atexit"))
try:
    logger.info("waiting")
    time.sleep(60)
finally:
    logger.info("finally")
"""


def test_a_script_logs_as_the_service_does(tmp_path: Path) -> None:
    """After `begin` and `config`, a script writes JSON lines with LOG_FIELDS."""
    code = f"{SCRIPT}\nlogger.info('imported', rows=3)"
    with serve(tmp_path, "-c", code, LOG_FIELDS='{"service": "shop"}') as service:
        assert service.wait() == 0
        [line] = service.lines
        assert (line["message"], line["rows"], line["service"]) == ("imported", 3, "shop")


def test_a_script_is_ended_by_sigterm(tmp_path: Path) -> None:
    """SIGTERM ends a script by the signal: an exit code of 0 would report success."""
    with serve(tmp_path, "-c", WAITING) as service:
        service.wait_for("waiting")
        service.signal(signal.SIGTERM)
        assert service.wait() == -signal.SIGTERM
        assert service.messages() == ["waiting"]


def test_a_script_that_is_interrupted_cleans_up(tmp_path: Path) -> None:
    """SIGINT raises KeyboardInterrupt, so that `finally` and `atexit` run."""
    with serve(tmp_path, "-c", WAITING) as service:
        service.wait_for("waiting")
        service.signal(signal.SIGINT)
        assert service.wait() == -signal.SIGINT
        assert service.messages() == ["waiting", "finally", "uncaught exception", "atexit"]


def test_a_child_shows_no_values(tmp_path: Path) -> None:
    """A child process that does not begin the log writes plain text without variable values."""
    child = """
from loguru import logger
def work(db_password):
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("it failed")
work("hunter2")
"""
    code = f"""
import subprocess, sys
from my_service._internal import begin
subprocess.run([sys.executable, "-c", {child!r}])
"""
    done = run_python(code, tmp_path)
    assert "it failed" in done.stderr
    assert "hunter2" not in done.stderr.replace('work("hunter2")', "")


def test_what_main_imports_is_logged(tmp_path: Path) -> None:
    """Under any server, the log begins before `main` imports anything else."""
    shutil.copytree(PROJECT / "my_service", tmp_path / "my_service")
    main = tmp_path / "my_service/main.py"
    text = main.read_text("utf-8")
    assert "from fastapi import FastAPI\n" in text
    main.write_text(text.replace("from fastapi import FastAPI\n", "import no_such_library\n"))
    done = run_python("import my_service.main", tmp_path, PYTHONPATH=str(tmp_path))
    [line] = done.stderr.splitlines()
    assert json.loads(line)["message"] == "uncaught exception"
    assert "no_such_library" in json.loads(line)["exception"]
