"""A version of uvicorn that moved what this package overrides or reads ends the start."""

from pathlib import Path
from types import ModuleType

import pytest

from checks.imitated import Change
from checks.refusals import check_refusal, is_pin, unmarked
from my_service._internal.uvicorn import http, server, websocket

_HTTP = "uvicorn.protocols.http.httptools_impl"
_WEBSOCKET = "uvicorn.protocols.websockets.websockets_sansio_impl"

CHANGES = {
    "module gone": Change(_WEBSOCKET, "", None, _WEBSOCKET),
    "class renamed": Change("uvicorn", r"\bLifespanOn\b", "Lifespan", "LifespanOn"),
    "method renamed": Change(_HTTP, r"\bon_headers_complete\b", "on_head", "HttpToolsProtocol.on_headers_complete"),
    "method without super renamed": Change("uvicorn", r"\bcapture_signals\b", "handle_signals", "Server.capture_signals"),
    "method that is called": Change("uvicorn", r"\b_unset_keepalive_if_required\b", "_stop_timer", "HttpToolsProtocol._unset_keepalive_if_required"),
    "parameter added": Change("uvicorn.server", r"async def startup\(self,", "async def startup(self, backlog,", "Server.startup(self, sockets)"),
    "attribute that is read": Change(_HTTP, r"\bresponse_complete\b", "is_complete", "RequestResponseCycle.response_complete"),
    "attribute that is set": Change(_HTTP, r"\bkeep_alive\b", "is_kept", "RequestResponseCycle.keep_alive"),
    "attribute that is replaced": Change("uvicorn", r"\bserver_state\b", "state", "server_state"),
    "setting": Change("uvicorn", r"\blifespan_class\b", "lifespan_factory", "Config.lifespan_class"),
    "argument": Change("uvicorn", r"\btimeout_keep_alive\b", "idle_timeout", "Config(timeout_keep_alive)"),
    "state of a WebSocket": Change(_WEBSOCKET, r"\bclose_sent\b", "is_closed", "WebSocketsSansIOProtocol.close_sent"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_version_that_does_not_fit(change: Change, tmp_path: Path) -> None:
    """The start ends with one line that names the version, what it lacks and the remedy."""
    check_refusal(tmp_path, change, server.REQUIREMENT)


def test_the_remedy_is_the_pin() -> None:
    """The line suggests the versions that `pyproject.toml` allows."""
    assert is_pin(server.REQUIREMENT)


@pytest.mark.parametrize("module", [http, server, websocket])
def test_overrides_are_marked(module: ModuleType) -> None:
    """A method that overrides one of uvicorn's has `@override`, so the start can check it."""
    assert unmarked(module, "uvicorn") == []
