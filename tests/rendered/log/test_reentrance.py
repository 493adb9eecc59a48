"""Code that logs in the middle of a log call gets its line, and nothing deadlocks."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from loguru import logger

from my_service._internal.log.stream import Stream
from tests.conftest import PROJECT, Log

SECONDS = 60

# Log in a loop in the main thread, while other code logs in the middle of it.
SIGNALS = """
import itertools, signal
import my_service.main
from loguru import logger

heard = 0
numbers = itertools.count(1)

def on_signal(*_):
    global heard
    heard = number = next(numbers)
    logger.info("signal", number=number)

signal.signal(signal.SIGUSR1, on_signal)
print("ready", flush=True)
count = 0
while heard < 500:
    logger.info("main", number=count)
    count += 1
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
logger.info("end", main=count, signal=next(numbers) - 1)
"""
DESTRUCTORS = """
import gc
import my_service.main
from loguru import logger

count = 0

class Cycle:
    def __init__(self, number):
        self.me, self.number = self, number

    def __del__(self):
        logger.info("collected", number=self.number)

gc.set_threshold(50)
print("ready", flush=True)
for number in range(5_000):
    Cycle(number)
    logger.info("main", number=number)
gc.collect()
logger.info("end", main=5_000, collected=5_000)
"""


@pytest.mark.parametrize("script", [SIGNALS, DESTRUCTORS], ids=["signals", "destructors"])
def test_code_that_interrupts_a_log_call(script: str, tmp_path: Path) -> None:
    """Every line of a signal handler, of a destructor and of the interrupted code is written."""
    log = tmp_path / "log"
    with log.open("wb") as target:
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONPATH": str(PROJECT), "COVERAGE_PROCESS_CONFIG": ""},
            stdout=subprocess.PIPE,
            stderr=target,
        )
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        while process.poll() is None:
            if script is SIGNALS:
                process.send_signal(signal.SIGUSR1)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.001)
        assert process.wait(SECONDS) == 0
        process.stdout.close()
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    [end] = [line for line in lines if line["message"] == "end"]
    for message in {"main", "signal", "collected"} & end.keys():
        numbers = [line["number"] for line in lines if line["message"] == message]
        assert len(numbers) == len(set(numbers)) == end[message]


def test_a_line_during_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line logged while another is written follows it, and both are whole."""
    reader, writer = os.pipe()
    with open(reader, "rb") as end, open(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        stream = Stream(on_dropped=lambda count: None)
        write = os.write

        def interrupted(fd: int, data: bytes) -> int:
            monkeypatch.setattr(os, "write", write)
            stream.write(b"inner\n")
            return write(fd, data)

        monkeypatch.setattr(os, "write", interrupted)
        stream.write(b"outer\n")
        assert end.read(12) == b"outer\ninner\n"


def test_a_line_while_the_backlog_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line logged while the writer thread has the lock is not lost."""
    reader, writer = os.pipe()
    with open(reader, "rb") as end, open(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        stream = Stream(on_dropped=lambda count: None)
        stream._lock.acquire()
        stream.write(b"kept\n")
        assert stream._new
        stream._lock.release()
        assert stream._next() is None
        assert end.read(5) == b"kept\n"


def test_a_handler_can_log(log: Log) -> None:
    """A user's handler that logs gets its line: our handler does not take Loguru's lock."""
    added = logger.add(lambda message: logger.debug("inner"), level="INFO", format="")
    try:
        logger.info("outer")
    finally:
        logger.remove(added)
    assert [line["message"] for line in log()] == ["outer", "inner"]
