"""A version of Hypercorn that moved what this package replaces or reads ends the start."""

from pathlib import Path
from types import ModuleType

import pytest

from checks.imitated import Change
from checks.refusals import check_refusal, is_pin, unmarked
from my_service._internal.hypercorn import (
    connection,
    http1,
    http2,
    http_streams,
    server,
    websocket_streams,
)

CHANGES = {
    "module gone": Change("hypercorn.protocol.ws_stream", "", None, "hypercorn.protocol.ws_stream"),
    "class renamed": Change("hypercorn", r"\bTCPServer\b", "TCPConnection", "TCPServer"),
    "class moved": Change(
        "hypercorn.asyncio.tcp_server", "from .task_group import", "from . import task_group #",
        "a use of hypercorn.asyncio.tcp_server.TaskGroup",
    ),
    "exception renamed": Change("hypercorn", "LifespanFailureError", "LifespanError", "LifespanFailureError"),
    "looked up in another module": Change(
        "hypercorn.asyncio.run", r"await TCPServer", "await tcp_server.TCPServer",
        "a use of hypercorn.asyncio.run.TCPServer",
    ),
    "method renamed": Change("hypercorn", r"\b_check_protocol\b", "_check_upgrade", "H11Protocol._check_protocol"),
    "method without super renamed": Change("hypercorn", r"\b_idle_timeout\b", "_wait_idle", "TCPServer._idle_timeout"),
    "parameter added": Change(
        "hypercorn.protocol.http_stream", r"app_send\(self, message: [^)]*\)", "app_send(self, message, more)",
        "HTTPStream.app_send(self, message)",
    ),
    "method no longer async": Change(
        "hypercorn.protocol.h2", r"async def _send_data", "def _send_data(self, stream_id): pass\n    async def _send",
        "H2Protocol._send_data(self, stream_id)",
    ),
    "attribute that is read": Change("hypercorn", r"\bsend_lock\b", "write_lock", "TCPServer.send_lock"),
    "attribute that is set": Change("hypercorn", r"\bkeep_alive_requests\b", "requests", "H2Protocol.keep_alive_requests"),
    "attribute that is replaced": Change("hypercorn", r"\bcan_read\b", "may_read", "H11Protocol.can_read"),
    "attribute set before its time": Change("hypercorn.protocol.http_stream", r"\bapp_put\b", "put", "HTTPStream.app_put"),
    "attribute of another object": Change("hypercorn", r"\bterminated\b", "ended", "WorkerContext.terminated"),
    "attribute of a buffer": Change("hypercorn", r"\bmax_length\b", "limit", "WebsocketBuffer.max_length"),
    "method of another object": Change("hypercorn.protocol.h2", r"def close\b", "def discard", "StreamBuffer.close"),
    "member of an enumeration": Change("hypercorn", r"\bCONNECTED\b", "OPEN", "ASGIWebsocketState.CONNECTED"),
    "field of an event": Change("hypercorn", r"\bidle: bool", "is_idle: bool", "Updated(idle)"),
    "field that is read": Change("hypercorn.protocol.events", r"\bdata: bytes", "content: bytes", "Body.data"),
    "setting": Change("hypercorn", r"\bgraceful_timeout\b", "stop_timeout", "Config.graceful_timeout"),
    "argument": Change("hypercorn", r"\bshutdown_trigger\b", "stop_trigger", "serve(shutdown_trigger)"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_version_that_does_not_fit(change: Change, tmp_path: Path) -> None:
    """The start ends with one line that names the version, what it lacks and the remedy."""
    check_refusal(tmp_path, change, server.REQUIREMENT)


def test_the_remedy_is_the_pin() -> None:
    """The line suggests the versions that `pyproject.toml` allows."""
    assert is_pin(server.REQUIREMENT)


@pytest.mark.parametrize(
    "module", [connection, http1, http2, http_streams, server, websocket_streams]
)
def test_overrides_are_marked(module: ModuleType) -> None:
    """A method that overrides one of Hypercorn's has `@override`, so the start can check it."""
    assert unmarked(module, "hypercorn") == []
