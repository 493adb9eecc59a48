"""`bind_request`, in addition to the tests of requests."""

from loguru import logger

from my_service._internal.context import RequestContext, current_request
from my_service.logging import bind_request, quiet_request
from tests.conftest import Log


def test_bound_fields_cannot_forge_a_line(log: Log) -> None:
    """A bound field whose name is taken, by the log or by the call, gets an underscore."""
    token = current_request.set(RequestContext("real"))
    try:
        bind_request(level="CRITICAL", request_id="forged", user="ann")
        logger.info("hello", user="bob")
    finally:
        current_request.reset(token)
    [line] = log()
    assert (line["level"], line["level_"]) == ("INFO", "CRITICAL")
    assert (line["request_id"], line["request_id_"]) == ("real", "forged")
    assert (line["user"], line["user_"]) == ("bob", "ann")


def test_nothing_happens_outside_of_a_request(log: Log) -> None:
    """Outside of a request, `bind_request` and `quiet_request` do nothing."""
    bind_request(user="ann")
    quiet_request()
    logger.info("hello")
    [line] = log()
    assert "user" not in line
