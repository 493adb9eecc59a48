"""docs/log.schema.json: it accepts valid lines and rejects invalid ones."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import PROJECT

SCHEMA = json.loads((PROJECT / "docs/log.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

ANY = {
    "timestamp": "2026-11-20T10:00:00.123456+00:00",
    "level": "INFO",
    "message": "hello",
    "source": "main.py:<module>:1",
}
EXCHANGE = ANY | {
    "request_id": "qPQ7dN0sWrA",
    "remote_ip": "192.0.2.1",
    "protocol": "1.1",
    "path_with_query": "/hello",
    "elapsed": 0.001,
}
REQUEST = EXCHANGE | {
    "message": "log request",
    "schema": "http",
    "method": "GET",
    "status_code": 200,
    "response_length": 2,
    "referer": "",
    "user_agent": "",
}
UNHANDLED = REQUEST | {
    "message": "unhandled exception",
    "level": "ERROR",
    "status_code": 500,
    "exception": "ValueError: broken",
}
AFTER = ANY | {
    "message": "exception after response",
    "level": "ERROR",
    "request_id": "a",
    "exception": "ValueError: broken",
}
VALIDATION = ANY | {
    "message": "request validation exception",
    "request_id": "a",
    "method": "POST",
    "path_with_query": "/",
    "detail": [{"type": "missing"}],
}
WEBSOCKET = EXCHANGE | {
    "message": "log websocket",
    "schema": "ws",
    "status_code": 101,
    "close_code": 1000,
}
STOPPING = ANY | {"message": "stopping", "signal": "SIGTERM"}
LIMIT = ANY | {"message": "shutdown limit passed", "level": "ERROR", "cancelled": 1}
DROPPED = ANY | {
    "message": "log lines dropped: standard error was not read",
    "level": "WARNING",
    "dropped": 1,
}
FAILED = ANY | {"message": "startup failed", "level": "ERROR", "exception": "OSError: database"}
GOOD = [
    ANY,
    REQUEST,
    UNHANDLED,
    AFTER,
    VALIDATION,
    WEBSOCKET,
    STOPPING,
    LIMIT,
    DROPPED,
    FAILED,
    ANY | {"level": "ERROR", "message": "server failed", "exception": "OSError"},
    ANY | {"message": "started"},
    REQUEST | {"disconnected": True},
    REQUEST | {"level": "DEBUG"},
    UNHANDLED | {"status_code": 200, "completed": False},
    WEBSOCKET | {"level": "ERROR", "exception": "ValueError"},
    REQUEST | {"user": {"id": 1}},
    REQUEST | {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"},
]
# A valid line, and the change that makes it invalid; None removes a field.
BAD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *(
        (line, {name: None})
        for line in (ANY, REQUEST, WEBSOCKET, VALIDATION)
        for name in line
        if name != "message"
    ),
    (ANY, {"timestamp": "2026-11-20T10:00:00"}),
    (ANY, {"source": "main.py"}),
    (ANY, {"message": 1}),
    (ANY, {"exception": {}}),
    (ANY, {"request_id": "a b"}),
    (ANY, {"request_id": "a" * 129}),
    (REQUEST, {"trace_id": "0" * 32}),
    (REQUEST, {"trace_id": "4BF92F3577B34DA6A3CE929D0E0E4736"}),
    (REQUEST, {"trace_id": "4bf92f35"}),
    (REQUEST, {"status_code": "200"}),
    (REQUEST, {"status_code": 0}),
    (REQUEST, {"status_code": 500}),
    (REQUEST, {"level": "ERROR"}),
    (REQUEST, {"level": "WARNING"}),
    (REQUEST, {"schema": "ws"}),
    (REQUEST, {"elapsed": -1}),
    (REQUEST, {"elapsed": "0.1"}),
    (REQUEST, {"response_length": -1}),
    (REQUEST, {"completed": True}),
    (REQUEST, {"completed": False}),
    (REQUEST, {"disconnected": False}),
    (UNHANDLED, {"exception": None}),
    (UNHANDLED, {"level": "INFO"}),
    (UNHANDLED, {"completed": False, "disconnected": True}),
    (AFTER, {"exception": None}),
    (AFTER, {"request_id": None}),
    (AFTER, {"level": "INFO"}),
    (VALIDATION, {"level": "ERROR"}),
    (WEBSOCKET, {"schema": "http"}),
    (WEBSOCKET, {"close_code": 99}),
    (WEBSOCKET, {"exception": "ValueError"}),
    (STOPPING, {"signal": None}),
    (STOPPING, {"signal": "SIGHUP"}),
    (LIMIT, {"cancelled": None}),
    (LIMIT, {"level": "INFO"}),
    (DROPPED, {"dropped": 0}),
    (DROPPED, {"level": "INFO"}),
    (FAILED, {"exception": None}),
    (FAILED, {"level": "INFO"}),
    (ANY, {"message": "started", "level": "DEBUG"}),
]


def test_the_schema_is_valid() -> None:
    """The schema conforms to the draft that it names."""
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("line", GOOD, ids=lambda line: line["message"])
def test_good_lines(line: dict[str, Any]) -> None:
    """The service's lines are valid, with additional fields of the user."""
    VALIDATOR.validate(line)


@pytest.mark.parametrize(("line", "change"), BAD, ids=str)
def test_bad_lines(line: dict[str, Any], change: dict[str, Any]) -> None:
    """A line with a missing, mistyped or contradictory field is invalid."""
    changed = {name: value for name, value in (line | change).items() if value is not None}
    assert not VALIDATOR.is_valid(changed)
