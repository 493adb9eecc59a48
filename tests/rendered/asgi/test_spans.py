"""The trace of a request with OpenTelemetry's SDK: the ids are those of the spans."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, WebSocket
from loguru import logger
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from checks.apps import make_app
from checks.asgi_calls import call, http, websocket
from my_service._internal.asgi.exchange import in_flight
from my_service.logging import outbound_headers
from tests.conftest import PROJECT, Log, connect

pytest.importorskip("fastapi.telemetry", reason="this FastAPI has no spans")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GIVEN = f"00-{TRACE}-00f067aa0ba902b7-01"

PROVIDER = TracerProvider()
TRACER = PROVIDER.get_tracer("tests")
EXPORTER = InMemorySpanExporter()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))


@pytest.fixture(name="app")
def app_fixture() -> Iterator[FastAPI]:
    """An application with FastAPI's spans; without those of earlier tests."""
    EXPORTER.clear()
    app = make_app(telemetry={"tracer_provider": PROVIDER})

    @app.get("/")
    def endpoint() -> dict[str, str]:
        logger.info("inside")
        return outbound_headers()

    @app.get("/fail")
    async def fail() -> None:
        raise LookupError

    @app.get("/apart")
    async def apart() -> None:
        with TRACER.start_as_current_span("apart", context=Context()):
            logger.info("apart")

    @app.websocket("/")
    async def connected(socket: WebSocket) -> None:
        await socket.accept()

    yield app
    assert not otel_context.get_current()


def spans() -> dict[str, ReadableSpan]:
    """Return the finished spans by name."""
    return {span.name: span for span in EXPORTER.get_finished_spans()}


def trace_id(span: ReadableSpan) -> str:
    """Return the trace id of a span as text."""
    assert span.context
    return f"{span.context.trace_id:032x}"


def span_id(span: ReadableSpan) -> str:
    """Return the id of a span as text."""
    assert span.context
    return f"{span.context.span_id:016x}"


async def test_lines_have_the_trace_of_the_span(app: FastAPI, log: Log) -> None:
    """Without `traceparent`, each request has the new trace of its span, in every line."""
    async with connect(app) as client:
        for _ in range(2):
            await client.get("/")
    lines, found = log(), EXPORTER.get_finished_spans()
    traces = [trace_id(span) for span in found if span.name == "GET /"]
    assert len(set(traces)) == 2
    assert [line["trace_id"] for line in lines] == [traces[0], traces[0], traces[1], traces[1]]
    assert [line["message"] for line in lines] == ["inside", "log request"] * 2


@pytest.mark.parametrize("path", ["/", "/fail", "/nowhere"])
async def test_a_span_continues_the_trace(path: str, app: FastAPI, log: Log) -> None:
    """With `traceparent`, lines and spans have its trace: of a 200, a 500 and a 404."""
    async with connect(app) as client:
        await client.get(path, headers={"traceparent": GIVEN})
    assert {trace_id(span) for span in EXPORTER.get_finished_spans()} == {TRACE}
    assert {line["trace_id"] for line in log()} == {TRACE}


async def test_calls_belong_to_the_current_span(app: FastAPI) -> None:
    """The parent id of a call is the span around it, here that of the endpoint."""
    async with connect(app) as client:
        sent = (await client.get("/")).json()
    endpoint = spans()["fastapi.endpoint"]
    version, trace, parent, flags = sent["traceparent"].split("-")
    assert (version, trace, parent) == ("00", trace_id(endpoint), span_id(endpoint))
    assert int(flags, 16) & 1  # sampled


async def test_a_line_has_the_trace_of_the_current_span(app: FastAPI, log: Log) -> None:
    """A line inside of a span with another trace has that trace; the request line has its own."""
    async with connect(app) as client:
        await client.get("/apart", headers={"traceparent": GIVEN})
    inside, request = log()
    assert inside["trace_id"] == trace_id(spans()["apart"]) != TRACE
    assert request["trace_id"] == TRACE


async def test_a_websocket_has_the_trace_of_its_span(app: FastAPI, log: Log) -> None:
    """The line of a WebSocket has the trace of its span."""
    await call(app, websocket("/"), {"type": "websocket.connect"})
    [line] = log("log websocket")
    assert line["trace_id"] == trace_id(spans()["WS /"])


async def test_an_aborted_request_has_the_trace_of_its_span(app: FastAPI, log: Log) -> None:
    """The line of an aborted request, written outside of its span, has the span's trace."""
    started = asyncio.Event()

    @app.get("/wait")
    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(call(app, http("/wait")))
    await started.wait()
    for exchange in in_flight:
        exchange.abort()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [line] = log("unhandled exception")
    assert line["trace_id"] == trace_id(spans()["GET /wait"])


async def test_without_spans_the_header_counts(log: Log) -> None:
    """With the SDK but no span of the request, the trace is that of `traceparent`."""
    app = make_app(telemetry={"tracer_provider": PROVIDER, "exclude": lambda scope: True})
    await call(app, http(headers=[(b"traceparent", GIVEN.encode())]))
    assert [line["trace_id"] for line in log()] == [TRACE]


SERVICE = """
import asyncio, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

from httpx import ASGITransport, AsyncClient
from my_service.main import app

async def main():
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        await client.get("/hello")

asyncio.run(main())
[span] = [span for span in exporter.get_finished_spans() if span.name == "GET /hello"]
print(f"{span.context.trace_id:032x}")
"""


@pytest.mark.parametrize("disabled", ["", "true"], ids=["", "OTEL_SDK_DISABLED"])
def test_the_service_needs_no_setting(disabled: str) -> None:
    """The service takes the ids of a tracer that is set up by OpenTelemetry's own means."""
    done = subprocess.run(
        [sys.executable, "-c", SERVICE],
        cwd=PROJECT / "tests",
        env={"ENV": "testing", "PYTHONPATH": str(PROJECT), "OTEL_SDK_DISABLED": disabled},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    told = [line.get("trace_id") for line in lines if line["message"] == "log request"]
    if disabled:
        assert told == [None]
    else:
        assert told == [done.stdout.strip()]
