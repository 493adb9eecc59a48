"""A canary under every secret name, in every place for a value: no line contains it."""

import base64
import dataclasses
import logging
import os
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from loguru import logger
from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from pydantic_settings import SettingsConfigDict

from checks.apps import make_app
from my_service._internal.log import secret_names, texts
from my_service._internal.log.capture import _show_warning
from my_service._internal.settings.environment import EnvironmentSettings
from my_service.exception_handlers import add_exception_handlers
from my_service.logging import bind_request
from tests.conftest import Log, connect

NAMES = [
    "password", "db_password", "passwd", "PASSWORD_HASH", "pwd", "user.pwd", "secret",
    "client_secret", "clientSecret", "token", "apiToken", "API_TOKEN", "X-Auth-Token",
    "authorization", "Proxy-Authorization", "cookie", "Set-Cookie", "dsn", "SENTRY_DSN",
    "credential", "credentials", "aws_credentials", "private_key", "privateKey", "api_key",
    "X-Api-Key", "apikey", "access_key", "AWS_ACCESS_KEY", "secretKey", "secret.key", "token_2",
    "session_id",
]  # fmt: skip
CANARIES = {
    "plain": "canary",
    "sign": "canary=canary",
    "symbols": "p$canary!%:/?#@canary",
    "long": "canary" * 2000,
    "digits": "12345678canary",
}
# Values that would be ambiguous at the end of a text.
IN_STRUCTURES = CANARIES | {
    "blank": "correct horse canary",
    "quotes": "it's \"canary\", isn't it",
    "brackets": "(canary] canary}",
    "lines": "one\ncanary\r\ntwo",
    "script": "пароль canary 密码",
    "surrogate": "canary\udc80",
}

Plant = Callable[[str, str], None]
STRUCTURES: dict[str, Plant] = {}
TEXTS: dict[str, Plant] = {}


def structure(plant: Plant) -> Plant:
    """Register a place where the value stands alone."""
    STRUCTURES[plant.__name__] = plant
    return plant


def text(plant: Plant) -> Plant:
    """Register a place where the value is a part of a text."""
    TEXTS[plant.__name__] = plant
    return plant


@pytest.fixture(autouse=True)
def redact_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `session_id` secret, as REDACT does."""
    monkeypatch.setattr(secret_names, "SECRET_ENDINGS", {*secret_names.SECRET_ENDINGS})
    texts.add_secret_names(["session_id"])


@pytest.fixture(autouse=True, scope="module")
def reset_secret_names() -> Iterator[None]:
    """Remove the names that REDACT added."""
    yield
    texts.add_secret_names([])


def identifier(name: str) -> str:
    """Return the name as a Python identifier."""
    return name.replace("-", "_").replace(".", "_")


def run(body: str, name: str, value: str) -> None:
    """Log what `body` raises; `@NAME` is the only variable that holds the value."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    code = f"def app(@NAME):\n    try:\n{lines}    except Exception:\n        log('failed')\n"
    code = code.replace("@NAME", identifier(name)).replace("@KEY", repr(name))
    scope = {
        "__name__": "app",
        "log": logger.exception,
        "create_model": create_model,
        "TypeAdapter": TypeAdapter,
    }
    exec(compile(code, "/srv/app.py", "exec"), scope)
    scope["app"](value)  # type: ignore[operator]


def fail(text: str) -> None:
    """Log an exception with this text as its message, note and cause, and in its group."""
    try:
        try:
            raise KeyError(text)
        except KeyError as error:
            error.add_note(text)
            raise ExceptionGroup(text, [ValueError(text), OSError(1, text)]) from error
    except ExceptionGroup:
        logger.exception("failed")


@structure
def argument(name: str, canary: str) -> None:
    logger.info("x", **{name: canary})


@structure
def bound(name: str, canary: str) -> None:
    logger.bind(**{name: canary}).info("x")


@structure
def extra_of_the_standard_library(name: str, canary: str) -> None:
    logging.getLogger("library").warning("x", extra={name: canary})


@structure
def dictionary(name: str, canary: str) -> None:
    logger.info("x", data={"a": [{name: canary}, ({name: [canary]},)]})


@structure
def bytes_of_a_dictionary(name: str, canary: str) -> None:
    raw = canary.encode("utf-8", "surrogatepass")
    logger.info("x", data={name.encode(): raw})


@structure
def header_pairs(name: str, canary: str) -> None:
    raw = canary.encode("utf-8", "surrogatepass")
    logger.info("x", headers=[(b"host", b"a"), (name.encode(), raw)], pairs=((name, canary),))


@structure
def data_class(name: str, canary: str) -> None:
    kind = dataclasses.make_dataclass("Data", [identifier(name)])
    logger.info("x", data=[kind(canary)])


@structure
def named_tuple(name: str, canary: str) -> None:
    logger.info("x", data=namedtuple("Data", [identifier(name)])(canary))


@structure
def model(name: str, canary: str) -> None:
    kind = create_model("Data", **{identifier(name): (str, ...)})  # type: ignore[call-overload]
    logger.info("x", data={"inner": kind.model_construct(**{identifier(name): canary})})


@structure
def model_with_extra(name: str, canary: str) -> None:
    class Data(BaseModel):
        model_config = ConfigDict(extra="allow")

    logger.info("x", data=Data.model_construct(None, **{name: canary}))


@structure
def local_variable(name: str, canary: str) -> None:
    run("raise ValueError(@NAME)", name, canary)


@structure
def local_dictionary(name: str, canary: str) -> None:
    run(
        "data = {'a': [{@KEY: @NAME}]}\nraise ValueError(f\"{data['a'][0][@KEY]} is bad\")",
        name,
        canary,
    )


@structure
def key_error(name: str, canary: str) -> None:
    run("{}[@NAME]", name, canary)


@structure
def validation_error(name: str, canary: str) -> None:
    run("create_model('Data', @NAME=(int, ...))(@NAME=@NAME)", name, canary)


@structure
def validation_of_a_list(name: str, canary: str) -> None:
    run("TypeAdapter(list[int]).validate_python([{@KEY: @NAME}])", name, canary)


@text
def message(name: str, canary: str) -> None:
    logger.info(f"{name}={canary}")
    logger.info(f"the {name}: {canary}")
    logger.info("{x}", x=f"{name}={canary}")


@text
def quoted(name: str, canary: str) -> None:
    logger.info(f'{{"{name}": "{canary}", "b": 1}}')
    logger.info(f"{{'{name}': '{canary}'}}")
    logger.info(str([(name, canary)]), repr_=str([(name.encode(), canary.encode())]))


@text
def exception_message(name: str, canary: str) -> None:
    fail(f"bad {name}={canary}")


@text
def warning(name: str, canary: str) -> None:
    _show_warning(f"{name}={canary}", UserWarning, "app.py", 1)


@text
def url_credentials(_: str, canary: str) -> None:
    password = quote(canary, safe="")
    logger.info(f"postgres://user:{password}@host:5432/db", url=f"redis://:{password}@host")
    logger.info("connected to https://user:" + password + "@host/path?a=b and more")


@text
def percent_encoded(name: str, canary: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in canary.encode())
    logger.info(f"/path?a=1&{quote(name)}={encoded}&b=2")
    logger.info(f"/path?next={quote(f'https://user:{canary}@host/?{name}={canary}', safe='')}")


@text
def authorization(_: str, canary: str) -> None:
    basic = base64.b64encode(f"user:{canary}".encode()).decode()
    logger.info(f"Authorization: Basic {basic}", headers={"authorization": f"Basic {basic}"})


@text
def source_line(name: str, canary: str) -> None:
    spelled, file = identifier(name), Path(os.environ["PLANTED"], "planted.py")
    file.write_text(
        f"def failing({spelled}={canary!r}):\n"
        f"    {spelled} = {canary!r}  # {name}={canary}\n"
        f"    data = {{{name!r}: {canary!r}}}; call({spelled}={canary!r})\n"
        f"    x = 1 / 0 or environ.get({name!r}, {canary!r}) or {spelled} == f'{canary}{{x}}'\n"
        "try:\n    failing()\nexcept ZeroDivisionError:\n    log('failed')\n"
    )
    scope = {"__name__": "app", "call": lambda **_: None, "log": logger.exception}
    exec(compile(file.read_text(), str(file), "exec"), scope)


def check(log: str, canary: str) -> None:
    """Check that there are lines, and that none has the canary, a part or an encoding of it."""
    assert log
    encoded = base64.b64encode(f"user:{canary}".encode("utf-8", "surrogatepass")).decode()
    for part in ("canary", "horse", "isn't", "пароль", quote("canary"), encoded[8:40]):
        assert part not in log, log[: log.find(part) + 40][-400:]
    assert "***" in log


@pytest.mark.parametrize("kind", IN_STRUCTURES)
@pytest.mark.parametrize("place", STRUCTURES)
def test_structures(place: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that stands alone is masked, whatever it is."""
    for name in NAMES:
        STRUCTURES[place](name, IN_STRUCTURES[kind])
        check(capsys.readouterr().err.replace(__file__, ""), IN_STRUCTURES[kind])


@pytest.mark.parametrize("kind", CANARIES)
@pytest.mark.parametrize("place", TEXTS)
def test_texts(
    place: str,
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A value that a text names as secret is masked."""
    monkeypatch.setenv("PLANTED", str(tmp_path))
    for number, name in enumerate(NAMES):
        (tmp_path / str(number)).mkdir()
        monkeypatch.setenv("PLANTED", str(tmp_path / str(number)))
        TEXTS[place](name, CANARIES[kind])
        check(capsys.readouterr().err, CANARIES[kind])


class Body(BaseModel):
    """A body whose validators quote their input."""

    n: int
    password: str
    inner: dict[str, int] = {}


app = make_app()
add_exception_handlers(app)


@app.post("/body")
async def post(body: Body) -> None: ...


@app.get("/bound")
async def bind(token: str) -> None:
    bind_request(token=token)
    raise RuntimeError(f"token={token}")


@pytest.mark.parametrize("kind", IN_STRUCTURES)
async def test_requests(kind: str, log: Log) -> None:
    """Bodies, queries and headers are masked in the lines of 422 and 500."""
    canary = IN_STRUCTURES[kind].encode("utf-8", "replace").decode()[:3000]
    async with connect(app) as client:
        for body in (
            {"n": "x", "password": canary},
            {"password": {"a": canary}, "inner": {"api_key": canary}},
            {"n": 1, "password": [canary], "token": canary},
            [{"secret": canary}],
        ):
            await client.post("/body", json=body, headers={"referer": f"/?token={quote(canary)}"})
        await client.get("/bound", params={"token": canary})
    check(str(log()), canary)


def test_settings(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    """Settings are shown without secrets, and an invalid secret is reported without its value."""

    class Settings(EnvironmentSettings):
        model_config = SettingsConfigDict(env_file=None)
        db_password: int = 0
        api_token: str = ""

    monkeypatch.setenv("API_TOKEN", "canary")
    logger.info("settings", settings=Settings.load(), environment=dict(os.environ))
    monkeypatch.setenv("DB_PASSWORD", "canary")
    with pytest.raises(SystemExit):
        Settings.load()
    check(str(log()), "canary")
