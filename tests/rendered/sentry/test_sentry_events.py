"""events.py and exceptions.py: what an event contains, and what it never contains."""

import asyncio
import base64
import json
import logging
import os
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Annotated

import pytest
import sentry_sdk
from fastapi import FastAPI, Header, HTTPException, Request, Response, WebSocket
from loguru import logger
from pydantic import BaseModel

from checks.apps import make_app
from checks.asgi_calls import call, websocket
from checks.sentry.failing import router
from checks.sentry.recording import DSN, Report, report_fixture  # noqa: F401
from my_service.logging import bind_request
from my_service.sentry import SentrySettings
from tests.conftest import PROJECT, Log, connect

CANARY = "canary-7f3a"
LIMIT = 50_000


def failing_app() -> FastAPI:
    """Return an application with failing routes."""
    app = make_app()
    app.include_router(router)
    return app


async def test_lines_of_32_requests_do_not_mix(report: Report) -> None:
    """An event has the earlier lines of its own request, and none of another."""
    app = make_app()
    recorder = report(app)

    @app.get("/{number}")
    async def work(number: int) -> None:
        for step in range(3):
            logger.info("step", number=number, step=step)
            await asyncio.sleep(0)
        sentry_sdk.set_tag("number", str(number))
        sentry_sdk.add_breadcrumb(message="own", data={"number": number})
        await asyncio.to_thread(logging.getLogger("library").warning, "thread %s", number)
        raise LookupError(number)

    async with connect(app) as client:
        responses = await asyncio.gather(*(client.get(f"/{number}") for number in range(32)))
    assert len(recorder.events) == 32
    ids = [response.headers["x-request-id"] for response in responses]
    for event in recorder.events:
        number = ids.index(event["tags"]["request_id"])
        assert event["tags"]["number"] == str(number)
        own, *lines, last = event["breadcrumbs"]["values"]
        assert own["data"]["number"] == number
        assert [line["data"]["step"] for line in lines] == [0, 1, 2]
        assert {line["data"]["number"] for line in lines} == {number}
        assert (last["message"], last["level"]) == (f"thread {number}", "warning")
    assert len({event["contexts"]["trace"]["trace_id"] for event in recorder.events}) == 32


async def test_data_of_the_process_and_of_a_request(report: Report) -> None:
    """A request starts with the tags of the process, and what it sets ends with it."""
    app = make_app()
    recorder = report(app)
    sentry_sdk.set_tag("region", "eu")

    @app.get("/{name}")
    async def work(name: str) -> None:
        if name == "first":
            scope = sentry_sdk.get_current_scope()
            scope.fingerprint = [name]
            assert not hasattr(scope, "missing")
            sentry_sdk.set_tag(name, "set")
        raise LookupError

    async with connect(app) as client:
        await client.get("/first")
        await client.get("/second")
    first, second = recorder.events
    assert (first["tags"]["region"], first["tags"]["first"]) == ("eu", "set")
    assert (second["tags"]["region"], "first" in second["tags"]) == ("eu", False)
    assert (first["fingerprint"], "fingerprint" in second) == (["first"], False)


async def test_a_background_task_shows_its_request(report: Report) -> None:
    """The request line is among the earlier lines, without personal data."""
    recorder = report(app := failing_app())
    async with connect(app) as client:
        await client.get("/shop/background/7")
    [event] = recorder.events
    [line] = event["breadcrumbs"]["values"]
    assert (line["message"], line["data"]["status_code"]) == ("log request", 200)
    assert not {"remote_ip", "user_agent", "referer", "path_with_query"} & line["data"].keys()


async def test_frames(report: Report) -> None:
    """The user's frames have their source; the last frame, of a library, has only its location."""
    app = make_app()
    recorder = report(app)

    @app.get("/")
    async def load(text: str) -> None:
        json.loads(text)  # this line

    async with connect(app) as client:
        await client.get("/?text=x")
    [event] = recorder.events
    [error] = event["exception"]["values"]
    own, last = error["stacktrace"]["frames"]
    assert (error["type"], error["module"]) == ("JSONDecodeError", "json.decoder")
    assert error["mechanism"]["handled"] is False
    assert own["context_line"].strip() == "json.loads(text)  # this line"
    assert own["pre_context"][-1].strip() == "async def load(text: str) -> None:"
    assert (own["function"], own["in_app"], own["vars"]) == ("load", True, {"text": "'x'"})
    assert (last["filename"], last["in_app"]) == ("json/decoder.py", False)
    assert "context_line" not in last


def test_context(report: Report) -> None:
    """An event has the exception that was being handled when the last one was raised."""
    recorder = report()
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("then")  # noqa: B904
    except ValueError:
        logger.exception("failed")
    [event] = recorder.events
    assert [value["type"] for value in event["exception"]["values"]] == ["KeyError", "ValueError"]


def test_causes_and_groups(report: Report) -> None:
    """An event has causes, groups and notes, with the raised exception last."""
    recorder = report()
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            group = ExceptionGroup("several", [ValueError("one"), OSError("two")])
            group.add_note("seen at night")
            raise group from error
    except ExceptionGroup:
        logger.exception("failed")
    [event] = recorder.events
    values = event["exception"]["values"]
    assert [value["type"] for value in values] == [
        "OSError", "ValueError", "KeyError", "ExceptionGroup",
    ]  # fmt: skip
    assert values[-1]["value"].splitlines()[-1] == "seen at night"
    assert {value["mechanism"].get("parent_id") for value in values} == {0, None}


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("order 4711 failed at 2026-11-20T10:43:14.9+00:00", "order %s failed at %s"),
        ("id RsMVps9GqdQ, 50%", "id %s, %s%%"),
        ("nothing in it: 100 %s", "nothing in it: %s %%s"),
        ("only words, 'and' %s", "only words, 'and' %s"),
    ],
)
def test_messages_group(message: str, template: str, report: Report) -> None:
    """Numbers, times and ids become parameters, which restore the message."""
    recorder = report()
    logger.error(message)
    [event] = recorder.events
    entry = event["logentry"]
    assert entry["message"] == template
    assert "formatted" not in entry
    if "params" in entry:
        assert entry["message"] % tuple(entry["params"]) == message
    assert event["extra"]["message"] == message


async def test_the_same_failure_groups(report: Report) -> None:
    """Two failures of a kind have the same grouping data."""
    recorder = report(app := failing_app())
    for name in ("async", "answered"):
        async with connect(app) as client:
            for number in (1, 2):
                await client.get(f"/shop/{name}/{number}")
        first, second = recorder.events[-2:]
        for part in ("logentry", "transaction", "fingerprint"):
            assert first.get(part) == second.get(part)
        assert [e["value"] for e in first.get("exception", {}).get("values", [])] == [
            e["value"] for e in second.get("exception", {}).get("values", [])
        ]
    assert first["logentry"] == {"message": "GET /shop/answered/{number} answered 500"}


async def test_a_status_code_does_not_make_a_request_line(report: Report) -> None:
    """Only the line of an answered request is named after its route; other messages stay."""
    app = make_app()
    recorder = report(app)

    @app.get("/")
    async def fail() -> None:
        logger.error("payment failed", method="GET", status_code=502)
        raise LookupError

    @app.websocket("/refused")
    async def refuse(websocket: WebSocket) -> None:
        await websocket.send_denial_response(Response(status_code=503))

    async with connect(app) as client:
        await client.get("/")
    await call(app, websocket("/refused"), {"type": "websocket.connect"})
    assert [event["logentry"]["message"] for event in recorder.events] == [
        "payment failed",
        "unhandled exception",
        "log websocket",
    ]


# --- Secrets and personal data


class Account(BaseModel):
    """A model with a secret."""

    name: str = "ann"
    api_key: str = CANARY


def hide_everywhere(request: Request) -> None:
    """Fail with a secret in every part of a frame."""
    account, options = Account(), {"deep": [{"db_password": CANARY}]}
    pairs = [(b"authorization", f"Bearer {CANARY}".encode())]
    token = CANARY
    url = f"postgres://ann:{CANARY}@db/orders"
    cookie = "x=" + CANARY
    logger.info("earlier", account=account, options=options, pairs=pairs, url=url)
    bind_request(session_token=CANARY)
    error = ConnectionError(f"{url} refused {token} {cookie}, password={CANARY}")
    error.add_note(f"api_key: {CANARY}")
    raise error  # token = "canary-7f3a"


def give_secrets_to_the_sdk() -> None:
    """Give secrets to the SDK, which would send them."""
    sentry_sdk.set_tag("api_token", CANARY)
    sentry_sdk.set_extra("url", f"https://ann:{CANARY}@host")
    sentry_sdk.set_context("account", {"password": CANARY, "text": f"secret={CANARY}"})
    sentry_sdk.set_user({"id": 7, "access_token": CANARY})
    sentry_sdk.add_breadcrumb(message=f"password={CANARY}", data={"cookie": CANARY})


@pytest.mark.parametrize("traces", [0, 1], ids=["", "traces"])
async def test_no_secret_is_sent(traces: float, report: Report) -> None:
    """No envelope has a secret, even if user code gives it to the SDK."""
    app = make_app()
    recorder = report(app, sentry_traces_sample_rate=traces)

    @app.post("/fail")
    def fail(request: Request, authorization: Annotated[str, Header()]) -> None:
        give_secrets_to_the_sdk()
        with sentry_sdk.start_span(op="query", name=f"password={CANARY}") as span:
            span.set_data("url", f"https://ann:{CANARY}@host")
            sentry_sdk.capture_message(f"token={CANARY}")
            try:
                raise ValueError(f"secret={CANARY}")
            except ValueError as error:
                sentry_sdk.capture_exception(error)
        logging.getLogger("library").error("password=%s", CANARY)
        hide_everywhere(request)

    basic = base64.b64encode(f"ann:{CANARY}".encode()).decode()
    headers = {"authorization": f"Basic {basic}", "cookie": CANARY, "x-api-key": CANARY}
    async with connect(app) as client:
        await client.post(
            f"/fail?token={CANARY}&next=https%3A%2F%2Fann%3A{CANARY}%40host",
            headers=headers | {"referer": f"http://ann:{CANARY}@host", "user-agent": CANARY},
            json={"password": CANARY},
        )
    assert len(recorder.events) == 4 + bool(traces)
    for sent in recorder.sent:
        assert CANARY.encode() not in sent
        assert basic.encode() not in sent


async def test_nothing_personal_is_sent(report: Report) -> None:
    """An event has no address, headers, body, query or host name."""
    app = make_app()
    recorder = report(app)

    @app.post("/fail/{number}")
    async def fail(request: Request) -> None:
        await request.body()
        raise HTTPException(500)

    headers = {"user-agent": "Netscape", "referer": "http://home", "x-forwarded-for": "192.0.2.1"}
    async with connect(app) as client:
        await client.post("/fail/7?email=ann@example.com", headers=headers, content="body")
    [event] = recorder.events
    assert event["request"] == {"method": "POST", "url": "/fail/7"}
    assert "server_name" not in event
    text = json.dumps(event)
    for part in ("Netscape", "http://home", "192.0.2.1", "127.0.0.1", "example.com", "body"):
        assert part not in text


# --- Size


def recurse(text: str, number: int) -> None:
    """Fail a hundred frames deep, with large values in each."""
    first, second, third = [text] * 50, {str(n): text for n in range(50)}, text
    if number:
        recurse(text, number - 1)
    raise ExceptionGroup(text, [ValueError(first, second, third, n) for n in range(20)])


@pytest.mark.parametrize("text", ["x" * 10_000, "ж" * 10_000, '😀\\"\x00\ud800' * 2_000])
async def test_size(text: str, report: Report) -> None:
    """An event is under 50 kB and keeps its failure, however much surrounds it."""
    app = make_app()
    recorder = report(app)

    @app.get("/")
    async def fail() -> None:
        sentry_sdk.set_context("big", {str(n): text for n in range(200)})
        sentry_sdk.set_extra("big", [[text] * 10] * 100)
        sentry_sdk.add_breadcrumb(message=text, data={"big": text})
        for _ in range(40):
            logger.info(text, big=[text] * 20)
        recurse(text, 100)

    async with connect(app) as client:
        response = await client.get("/")
    [event] = recorder.events
    assert len(recorder.sent[0]) < LIMIT
    assert event["exception"]["values"][-1]["type"] == "ExceptionGroup"
    assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "recurse"
    assert event["tags"]["request_id"] == response.headers["x-request-id"]


def test_size_of_data_given_to_the_sdk(report: Report) -> None:
    """Data that is too large even in parts is omitted."""
    recorder = report()
    long = "n" * 100
    wide = {f"{long}{number}": {f"{long}{n}": "x" for n in range(20)} for number in range(40)}
    for name in map(str, range(30)):
        sentry_sdk.set_context(name, wide)
        sentry_sdk.set_extra(name, wide)
        sentry_sdk.set_user({"id": name, **wide})
    for number in range(1_000):
        sentry_sdk.set_tag(f"{'n' * 100}{number}", "x" * 200)
    logger.error("kept")
    [event] = recorder.events
    assert len(recorder.sent[0]) < LIMIT
    assert event["logentry"]["message"] == "kept"


# --- Settings


def test_variables_are_documented() -> None:
    """sample.env and the table of docs/variables.md name every setting."""
    names = {name.upper() for name in SentrySettings.model_fields}
    for file, pattern in (
        ("sample.env", r"^#(SENTRY_\w+)="),
        ("docs/variables.md", r"^\| `(SENTRY_\w+)` \|"),
    ):
        text = (PROJECT / file).read_text("utf-8")
        assert set(re.findall(pattern, text, re.MULTILINE)) == names


def test_release_and_environment(report: Report) -> None:
    """Release and environment default to the package's version and ENV."""
    recorder = report()
    logger.error("failed")
    [event] = recorder.events
    assert (event["release"], event["environment"]) == ("0.1.0", "testing")


def test_release_where_the_project_is_not_installed(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project without installation and pyproject.toml reports events without a release."""
    monkeypatch.setattr("my_service._internal.version.version", raise_not_found)
    monkeypatch.setattr("my_service._internal.version._PYPROJECT", Path("nowhere"))
    recorder = report()
    logger.error("failed")
    assert "release" not in recorder.events[0]


def raise_not_found(name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SENTRY_DSN", f"https://{CANARY}@host/project"),
        ("SENTRY_DSN", f"https://{CANARY}:{CANARY}@host:99999/1"),
        ("SENTRY_DSN", f"{CANARY}"),
        ("SENTRY_SAMPLE_RATE", "1.5"),
        ("SENTRY_TRACES_SAMPLE_RATE", "nan"),
    ],
)
def test_bad_settings(name: str, value: str, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the variable and the allowed value, without the key."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        SentrySettings.load()
    [line] = log()
    assert line["level"] == "ERROR"
    assert name in line["message"]
    assert "; it must be a " in line["message"]
    assert CANARY not in json.dumps(line)


def test_a_dsn_with_a_secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old form of a DSN, with a secret key, is accepted, and the key is not shown."""
    monkeypatch.setenv("SENTRY_DSN", f"https://public:{CANARY}@host/1")
    settings = SentrySettings.load()
    assert settings.sentry_dsn.endswith("@host/1")
    assert CANARY not in repr(settings)


def test_a_dsn_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The DSN is secret by its name, so it can come from a file."""
    (tmp_path / "dsn").write_text(f"{DSN}\n")
    monkeypatch.setenv("SENTRY_DSN_FILE", str(tmp_path / "dsn"))
    assert SentrySettings.load().sentry_dsn == DSN


@pytest.mark.parametrize("dsn", ["", DSN])
def test_the_sdk_is_imported_only_with_a_dsn(dsn: str) -> None:
    """The SDK is imported only if a DSN is set."""
    code = "import sys, my_service.main; print('sentry_sdk' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"SENTRY_DSN": dsn}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(bool(dsn))


async def test_a_rate_of_zero_traces_nothing(report: Report) -> None:
    """A rate of zero disables tracing, so that no transaction is created and discarded."""
    report(sentry_traces_sample_rate=0)
    assert sentry_sdk.get_client().options["traces_sample_rate"] is None


def test_contexts_keep_their_names(report: Report) -> None:
    """A named tuple in a context is masked by its field names, which the SDK would drop."""
    recorder = report()
    Login = namedtuple("Login", ["user", "password"])
    sentry_sdk.set_context("login", {"given": Login("ann", CANARY)})
    sentry_sdk.set_extra("login", Login("ann", CANARY))
    logger.error("failed")
    [event] = recorder.events
    assert event["contexts"]["login"]["given"] == {"user": "ann", "password": "***"}
    assert CANARY not in json.dumps(event)


def test_metrics_and_logs_of_the_sdk_are_masked(report: Report) -> None:
    """Attributes of the SDK's own metrics and logs are masked by name."""
    recorder = report()
    sentry_sdk.metrics.count("logins", 1, attributes={"user": "ann", "api_key": CANARY})
    sentry_sdk.get_client().flush()
    sent = b"".join(recorder.sent)
    assert b"logins" in sent
    assert CANARY.encode() not in sent


def test_a_malformed_dsn_stops_the_start(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line reports the DSN, without the key."""
    monkeypatch.setenv("SENTRY_DSN", f"https://{CANARY}@sentry.example.com/project")
    with pytest.raises(SystemExit):
        SentrySettings.load()
    [line] = log()
    assert "SENTRY_DSN is ***; it must be a DSN" in line["message"]
    assert CANARY not in json.dumps(line)


def test_the_service_reports(tmp_path: Path) -> None:
    """With a DSN in its environment, the service starts the SDK."""
    program = "import my_service.main, sentry_sdk; print(sentry_sdk.is_initialized())"
    for dsn, expected in (("", "False"), ("http://public@127.0.0.1:9/1", "True")):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=os.environ | {"SENTRY_DSN": dsn, "PYTHONPATH": str(PROJECT)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected


async def test_a_traced_request(report: Report) -> None:
    """A traced request is one transaction under its route, with its id."""
    recorder = report(app := failing_app(), sentry_traces_sample_rate=1)

    @app.get("/orders/{number}")
    def order(number: int) -> None: ...

    async with connect(app) as client:
        response = await client.get("/orders/7")
    [trace] = recorder.events
    assert (trace["type"], trace["transaction"]) == ("transaction", "/orders/{number}")
    assert trace["tags"]["request_id"] == response.headers["x-request-id"]


async def test_traces_without_the_request_log(report: Report) -> None:
    """`add_sentry` does not break the responses of an application without request ids."""
    report(app := FastAPI(), sentry_traces_sample_rate=1)
    async with connect(app) as client:
        assert (await client.get("/nowhere")).status_code == 404
