"""Thousands of planted secrets in every part of an event: no event contains one."""

import json
from collections.abc import Callable

import pytest
import sentry_sdk
from loguru import logger

from checks.planting import CANARY, NAMES, objects, texts
from checks.sentry.recording import Report, report_fixture  # noqa: F401

Place = Callable[[object], None]


def logged(value: object) -> None:
    logger.error("failed", value=value)


def message(value: object) -> None:
    logger.error(f"failed: {value}" if isinstance(value, str) else value)


def raised(value: object) -> None:
    try:
        held = value
        raise RuntimeError(held)
    except RuntimeError:
        logger.exception("failed")


def context(value: object) -> None:
    """Give it to the SDK as context."""
    with sentry_sdk.new_scope() as scope:
        scope.set_context("own", {"value": value})
        scope.set_extra("own", value)
        scope.add_breadcrumb(message="own", data={"text": value if isinstance(value, str) else ""})
        sentry_sdk.capture_message("own")


@pytest.mark.parametrize("place", [logged, message, raised, context], ids=lambda p: p.__name__)
def test_events(place: Place, report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """A value under a secret name is masked in an event as in a line."""
    recorder = report()
    planted = [*list(texts())[::17], *objects(NAMES[::9])]
    assert len(planted) > 1_000
    leaks = []
    for what, value in planted:
        place(value)
        if CANARY in json.dumps(recorder.events, ensure_ascii=False).replace(__file__, ""):
            leaks.append(what)
        recorder.events.clear()
        recorder.sent.clear()
        capsys.readouterr()
    assert leaks == []
