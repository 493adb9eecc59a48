"""A service without file descriptors; with uvloop the event loop itself drops connections."""

import errno
import resource
import time
from pathlib import Path

from checks.served import serve


def test_no_descriptors_left_is_one_line(tmp_path: Path) -> None:
    """Connections wait, and are accepted once descriptors are free; one line says so."""
    with serve(tmp_path) as service:
        service.get("/hello")
        resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        clients = [service.connect() for _ in range(60)]
        service.wait_for("cannot accept connections")
        # Wait until asyncio has tried again twice.
        time.sleep(2.5)
        for client in clients:
            client.close()
        assert service.get("/hello").status_code == 200
        [line] = [line for line in service.lines if line["level"] in {"ERROR", "WARNING"}]
        assert line["reason"] == f"[Errno {errno.EMFILE}] Too many open files"
        assert service.stop() == 0
