"""Thousands of planted secrets in every part of a line: no line contains one."""

import json
import logging
import os
from collections.abc import Callable
from urllib.parse import parse_qs, parse_qsl, quote_plus

import pytest
from fastapi import Request
from loguru import logger
from pydantic import BaseModel, SecretStr

from checks.apps import make_app
from checks.planting import CANARY, NAMES, QUOTED_VALUES, objects, texts
from my_service.exception_handlers import add_exception_handlers
from my_service.logging import bind_request
from tests.conftest import Log, connect

Place = Callable[[object], None]


def keyword(value: object) -> None:
    logger.info("x", value=value)


def argument(value: object) -> None:
    logger.info("got {}", value)


def message(value: object) -> None:
    logger.error(value)


def standard_library(value: object) -> None:
    logging.getLogger("library").error(value)


def raised(value: object) -> None:
    """Log it as the argument, note and cause of an exception, and in a group."""
    try:
        try:
            raise KeyError(value)
        except KeyError as error:
            error.add_note(str(value) if isinstance(value, str) else "")
            raise ExceptionGroup("group", [ValueError(value), OSError(1, value)]) from error
    except ExceptionGroup:
        logger.exception("failed")


def local_variable(value: object) -> None:
    """Log it in a frame whose source can be read."""
    try:
        held = value
        raise RuntimeError(type(held).__name__)
    except RuntimeError:
        logger.exception("failed")


PLACES = [keyword, argument, message, standard_library, raised, local_variable]


def check(log: str, planted: dict[str, int], what: str) -> None:
    """Count a planted secret, and record it if the log contains it."""
    planted["count"] += 1
    if CANARY in log:
        planted[what] = 1


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_texts(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A value after a secret name in a text is masked in every notation."""
    planted = {"count": 0}
    for what, text in list(texts())[:: 1 if place is keyword else 11]:
        place(text)
        check(capsys.readouterr().err, planted, what)
    assert planted.pop("count") > (9_000 if place is keyword else 900)
    assert list(planted) == []


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_objects(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A value under a secret name in an object is masked, whatever the object's text shows."""
    planted = {"count": 0}
    for what, value in objects(NAMES if place is keyword else NAMES[::7]):
        place(value)
        check(capsys.readouterr().err.replace(__file__, ""), planted, what)
    assert planted.pop("count") > (6_000 if place is keyword else 900)
    assert list(planted) == []


CAMEL_CASE = ("clientSecret", "apiToken", "secretKey")


class Login(BaseModel):
    """A body that does not validate if `n` is not a number."""

    n: int
    password: SecretStr | None = None


app = make_app()
add_exception_handlers(app)


@app.post("/login")
async def login(login: Login) -> None: ...


@app.post("/form")
async def form(request: Request) -> None:
    """Log a form, raw and parsed."""
    body = (await request.body()).decode()
    logger.info(f"form {body}", body=body, fields=parse_qs(body), pairs=parse_qsl(body))


@app.get("/bound")
async def bound(request: Request) -> None:
    """Log every part of a request."""
    bind_request(headers=request.headers, cookies=request.cookies, query=request.query_params)
    logger.info("raw", headers=request.headers.raw, url=str(request.url), scope=request.scope)
    raise RuntimeError(request.headers, request.url)


@pytest.mark.parametrize("kind", QUOTED_VALUES)
async def test_requests(kind: str, log: Log) -> None:
    """Queries, headers, forms and bodies are masked in the lines of 200, 422 and 500."""
    value = QUOTED_VALUES[kind][:3_000]
    line = value.replace("\n", " ").replace("\r", " ").encode()
    async with connect(app) as client:
        for name in NAMES[::2]:
            query = f"a=1&{name}={quote_plus(value)}&{name}[$ne]={quote_plus(value)}"
            headers = {b"referer": f"https://ann:pw@host/?{query}".encode()}
            if name not in CAMEL_CASE:  # servers write header names in lower case
                headers[name.encode()] = line
            await client.get(f"/bound?{query}", headers=headers)
            await client.post("/login", json={"n": value and "x", name: value})
            await client.post("/login", content=json.dumps({name: value})[:-1])
            await client.post("/form", data={"m": "x", name: value})
            await client.post("/login", data={"m": "x", name: value})
    text = json.dumps(log(), ensure_ascii=False)
    assert CANARY not in text, text[max(text.find(CANARY) - 300, 0) :][:400]
    assert "ann:pw" not in text


def test_environment(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is logged without secrets."""
    for name in NAMES:
        monkeypatch.setenv(name, "canary")
    logger.info("environment", environment=dict(os.environ), text=str(dict(os.environ)))
    assert CANARY not in str(log())
