"""Events have the trace of the log line that they are made from."""

import json
from typing import Any

import pytest
import sentry_sdk
from fastapi import FastAPI
from loguru import logger
from opentelemetry.sdk.trace import TracerProvider
from sentry_sdk.envelope import Envelope

from checks.apps import make_app
from checks.sentry.recording import Recorder, Report, report_fixture  # noqa: F401
from tests.conftest import Log, connect

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


def failing(**options: Any) -> FastAPI:
    """Return an application whose only endpoint logs and raises."""
    app = make_app(**options)

    @app.get("/")
    async def fail() -> None:
        logger.info("before")
        raise LookupError("broken")

    return app


def envelope_traces(recorder: Recorder) -> set[str]:
    """Return the trace ids in the headers of the envelopes."""
    headers = (Envelope.deserialize(sent).headers for sent in recorder.sent)
    return {header["trace"]["trace_id"] for header in headers}


async def test_an_event_has_the_trace_of_the_request(report: Report, log: Log) -> None:
    """The trace of `traceparent` is that of the event, in its context alone."""
    recorder = report(app := failing())
    async with connect(app) as client:
        await client.get("/", headers=HEADERS)
    assert {line["trace_id"] for line in log()} == {TRACE}
    [event] = recorder.events
    assert event["contexts"]["trace"]["trace_id"] == TRACE
    assert envelope_traces(recorder) == {TRACE}
    assert TRACE not in json.dumps([event["extra"], event["breadcrumbs"], event["tags"]])


async def test_a_context_of_the_user_has_the_trace(report: Report) -> None:
    """The user's own `trace` context keeps its values and gets the trace of the request."""
    app = make_app()
    recorder = report(app)

    @app.get("/")
    async def fail() -> None:
        sentry_sdk.set_context("trace", {"op": "order"})
        raise LookupError("broken")

    async with connect(app) as client:
        await client.get("/", headers=HEADERS)
    [event] = recorder.events
    assert event["contexts"]["trace"] == {"op": "order", "trace_id": TRACE}


async def test_an_event_without_a_trace(report: Report, log: Log) -> None:
    """Without `traceparent`, the SDK makes a trace for the event, and no line has one."""
    recorder = report(app := failing())
    async with connect(app) as client:
        await client.get("/")
    assert not any("trace_id" in line for line in log())
    [event] = recorder.events
    assert len(event["contexts"]["trace"]["trace_id"]) == 32


async def test_a_transaction_has_the_trace_of_the_request(report: Report, log: Log) -> None:
    """The event and the transaction of a request have its trace, also in the envelopes."""
    recorder = report(app := failing(), sentry_traces_sample_rate=1)
    async with connect(app) as client:
        await client.get("/", headers=HEADERS)
    assert {event["contexts"]["trace"]["trace_id"] for event in recorder.events} == {TRACE}
    assert {event.get("type") for event in recorder.events} == {None, "transaction"}
    assert envelope_traces(recorder) == {TRACE}


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_a_client_does_not_choose_what_is_sampled(flags: str, report: Report) -> None:
    """Neither the flags nor the id of a client's trace decide which requests are sampled."""
    recorder = report(app := make_app(), sentry_traces_sample_rate=0.5)
    async with connect(app) as client:
        for _ in range(64):
            await client.get("/", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-{flags}"})
    assert 0 < len(recorder.events) < 64


@pytest.mark.parametrize("rate", [0, 1])
async def test_an_event_has_the_trace_of_the_span(rate: int, report: Report, log: Log) -> None:
    """With a tracer of OpenTelemetry, the event and the transaction have the trace of its span."""
    pytest.importorskip("fastapi.telemetry", reason="this FastAPI has no spans")
    app = failing(telemetry={"tracer_provider": TracerProvider()})
    recorder = report(app, sentry_traces_sample_rate=rate)
    async with connect(app) as client:
        await client.get("/")
    [trace_id] = {line["trace_id"] for line in log()}
    assert len(recorder.events) == 1 + rate
    assert {event["contexts"]["trace"]["trace_id"] for event in recorder.events} == {trace_id}
    assert envelope_traces(recorder) == {trace_id}
