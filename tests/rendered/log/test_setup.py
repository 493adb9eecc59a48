"""setup.py: the log begins and is configured in any order."""

import pytest
from loguru import logger

from my_service._internal.log import setup
from my_service.logging import init
from tests.conftest import Log


def test_configure_before_begin(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings given before `begin` apply from the first line."""
    logger.remove()
    monkeypatch.setattr(setup, "_has_begun", False)
    setup.configure(setup.Options(level="ERROR"), fields={"service": "shop"})
    logger.error("nowhere yet")
    assert log() == []
    setup.begin()
    logger.info("too low")
    logger.error("written")
    assert [(line["message"], line["service"]) for line in log()] == [("written", "shop")]
    init(level="DEBUG")


def test_a_second_begin(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second `begin` changes nothing: handlers added in between keep their order."""
    monkeypatch.setattr(setup, "_apply", lambda: pytest.fail("applied again"))
    setup.begin()
