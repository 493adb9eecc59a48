"""parent_watch.py: the service that `make dev` starts ends with it."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from checks.served import PLAIN, serve
from my_service._internal.server.parent_watch import stop_with_parent

# Start the service as watchfiles does, and wait to be killed.
RELOADER = f"""
import os, subprocess, sys
os.environ["WATCHFILES_CHANGES"] = "[]"
service = subprocess.Popen([sys.executable, *{PLAIN!r}])
service.wait()
"""


def test_it_waits_for_its_parent_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """One SIGTERM is sent when the parent changes, and nothing before."""
    parents = [7, 7, 7, 1]
    ended = threading.Event()
    sent: list[tuple[int, int]] = []

    def kill(process: int, number: int) -> None:
        sent.append((process, number))
        ended.set()

    monkeypatch.setattr(os, "getppid", lambda: parents.pop(0))
    monkeypatch.setattr(os, "kill", kill)
    stop_with_parent(interval=0)
    assert ended.wait(10)
    assert (sent, parents) == ([(os.getpid(), signal.SIGTERM)], [])


@pytest.mark.skipif(sys.platform == "win32", reason="there a parent is not replaced")
@pytest.mark.parametrize("name", ["SIGHUP", "SIGKILL"])
def test_a_reloader_that_dies_leaves_no_service(name: str, tmp_path: Path) -> None:
    """The service stops normally and releases its port, however the reloader ends."""
    with serve(tmp_path, "-c", RELOADER) as service:
        service.wait_for("started")
        service.signal(getattr(signal, name))
        assert service.wait() == -getattr(signal, name)
        assert service.messages()[-2:] == ["stopping", "shutdown"]
