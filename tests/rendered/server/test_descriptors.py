"""A service without file descriptors."""

import errno
import os
import resource
import time
from pathlib import Path

import pytest

from checks.served import Service, serve


def cpu_time(service: Service) -> float:
    """Return the CPU time of the service in seconds."""
    user, system = Path(f"/proc/{service.process.pid}/stat").read_text().split()[13:15]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc and prlimit")
def test_no_descriptors_left_is_one_line(tmp_path: Path) -> None:
    """Connections wait, and are accepted once descriptors are free; one line says so."""
    with serve(tmp_path) as service:
        service.get("/hello")
        resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        clients = [service.connect() for _ in range(60)]
        service.wait_for("cannot accept connections")
        used = cpu_time(service)
        # Wait until the server has tried again twice.
        time.sleep(2.5)
        assert cpu_time(service) - used < 1
        for client in clients:
            client.close()
        assert service.get("/hello").status_code == 200
        [line] = [line for line in service.lines if line["level"] in {"ERROR", "WARNING"}]
        assert line["reason"] == f"[Errno {errno.EMFILE}] Too many open files"
        assert service.stop() == 0
