"""terminal.py, console.py, pretty.py and palette.py: lines for the eyes of a developer."""

import io
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from my_service._internal.log import terminal
from my_service.logging import init
from my_service.main import app as service
from tests.conftest import connect

SGR = re.compile(r"\x1b\[[0-9;]*m")
LEVELS = ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL")
# Of red, green and blue in the 256 colours of xterm.
STEPS = (0, 95, 135, 175, 215, 255)


class Screen(io.StringIO):
    """Standard error that is a terminal, or is not."""

    is_terminal = True

    def isatty(self) -> bool:
        return self.is_terminal

    def begin(self, **options: Any) -> None:
        """Log to this screen; in the test itself, because pytest replaces `sys.stderr` before."""
        sys.stderr = self
        init(**options)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A terminal without variables that change its colours."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    before = sys.stderr
    yield Screen()
    sys.stderr = before
    init(level="DEBUG")


def texts(screen: Screen) -> list[str]:
    """Return the lines that the screen shows, without colours."""
    shown = SGR.sub("", screen.getvalue())
    screen.truncate(0)
    screen.seek(0)
    return shown.splitlines()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_format_of_development(is_terminal: bool, screen: Screen) -> None:
    """Without LOG_FORMAT, a terminal shows `console`, and everything else gets JSON."""
    screen.is_terminal = is_terminal
    screen.begin(log_format=None)
    logger.info("hello", user="ann")
    if is_terminal:
        [line] = texts(screen)
        assert re.match(r"\d\d:\d\d:\d\d\.\d{3} INFO     hello .*test_terminal\S* user=ann$", line)
    else:
        assert json.loads(screen.getvalue())["user"] == "ann"


@pytest.mark.parametrize("log_format", ["pretty", "console"])
@pytest.mark.parametrize(
    ("is_terminal", "variables", "is_coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
    ],
)
def test_colours(
    log_format: Any,
    is_terminal: bool,
    variables: dict[str, str],
    is_coloured: bool,
    screen: Screen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A terminal has colours; NO_COLOR, FORCE_COLOR and TERM=dumb are honoured."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    screen.is_terminal = is_terminal
    screen.begin(log_format=log_format)
    logger.info("hello")
    assert bool(SGR.search(screen.getvalue())) == is_coloured


def test_json_has_no_colours(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON is never coloured."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen.begin(log_format="json")
    logger.error("hello")
    assert json.loads(screen.getvalue())["message"] == "hello"


def luminance(code: int) -> float:
    """Return the relative luminance of a colour of xterm (WCAG 2.2)."""
    if code < 232:
        parts = [STEPS[(code - 16) // step % 6] for step in (36, 6, 1)]
    else:
        parts = [8 + 10 * (code - 232)] * 3
    channels = [part / 255 for part in parts]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: float, other: float) -> float:
    """Return the contrast ratio of two luminances (WCAG 2.2)."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("log_format", ["pretty", "console"])
def test_contrast(log_format: Any, screen: Screen) -> None:
    """Each colour has a contrast of 4.5 : 1 to black and to white, or to its own background."""
    screen.begin(level="TRACE", log_format=log_format)
    for level in LEVELS:
        logger.log(level, "hello", a="text", b=1.5, c=None, d=[True], method="GET")
        for status in (200, 404, 500):
            logger.log(level, "hello", path_with_query="/", status_code=status, elapsed=2.5)
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", screen.getvalue()))
    assert len(codes) > len(LEVELS)
    for code in codes:
        ground = re.search(r"48;5;(\d+)", code)
        if colour := re.search(r"38;5;(\d+)", code):
            grounds = [luminance(int(ground[1]))] if ground else [0.0, 1.0]
            ratios = [contrast(luminance(int(colour[1])), other) for other in grounds]
            assert min(ratios) >= 4.5, code


@pytest.mark.parametrize("log_format", ["pretty", "console"])
def test_levels_differ(log_format: Any, screen: Screen) -> None:
    """The level of a warning, of an error and of a success have different colours."""
    screen.begin(log_format=log_format)
    looks = set()
    for level in ("INFO", "WARNING", "ERROR", "CRITICAL"):
        logger.log(level, "hello")
        looks.add(re.search(rf'\x1b\[([0-9;]*)m"?{level}', screen.getvalue())[1])  # type: ignore[index]
    assert len(looks) == 4


def test_a_style_of_pygments(screen: Screen) -> None:
    """PYGMENTS_STYLE may name any style of Pygments; levels keep their colours."""
    shown = []
    for style in ("monokai", "dark-or-light"):
        screen.begin(log_format="console", pygments_style=style)
        logger.error("hello", number=12)
        shown.append(SGR.findall(screen.getvalue().rpartition("ERROR")[2]))
        assert "48;5;160" in screen.getvalue()
    assert shown[0] != shown[1]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(message=st.text(), name=st.text(min_size=1, max_size=10), value=VALUES)
def test_one_line(message: str, name: str, value: object) -> None:
    """Whatever a record contains is one line, without characters that a terminal interprets."""
    screen, before = Screen(), sys.stderr
    try:
        screen.begin(log_format="console")
        logger.info(message.replace("{", "("), **{name: value})
    finally:
        sys.stderr = before
        init(level="DEBUG")
    [line, rest] = SGR.sub("", screen.getvalue()).split("\n")
    assert rest == ""
    assert re.fullmatch(r"[^\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e]+", line)


async def send(application: FastAPI, *targets: str) -> None:
    """Request each target."""
    client: AsyncClient
    async with connect(application) as client:
        for target in targets:
            await client.get(target, headers={"traceparent": f"00-{'12' * 16}-{'34' * 8}-01"})


async def test_a_request(screen: Screen) -> None:
    """The line of a request shows method, path, status, duration and id, and nothing else."""
    screen.begin(log_format="console")
    await send(service, "/hello")
    [_, line] = texts(screen)
    assert re.fullmatch(r"\S+ INFO     log request GET /hello 200 \d+\.\d ms \S+", line)


async def test_validation_errors(screen: Screen) -> None:
    """Each validation error is one line: where, what and the input."""
    screen.begin(log_format="console")
    await send(service, "/divide?a=x&b=y")
    first, *problems, _ = texts(screen)
    assert first.split()[1:6] == ["INFO", "request", "validation", "exception", "GET"]
    assert [re.split(r"[:,] ", problem.strip())[0::3] for problem in problems] == [
        ["query.a", "input x"],
        ["query.b", "input y"],
    ]


async def test_an_exception(screen: Screen) -> None:
    """A 500 is at most 15 lines: its own, and the traceback with the values of its frames."""
    screen.begin(log_format="console")
    await send(service, "/divide?a=1&b=0")
    lines = texts(screen)
    assert re.search(r"ERROR    unhandled exception GET /divide\?a=1&b=0 500 \S+ ms", lines[0])
    assert "       b = 0" in lines
    assert lines[-1] == "  ZeroDivisionError: division by zero"
    assert len(lines) <= 15


@pytest.mark.parametrize(
    ("detail", "lines"),
    [
        ("a text", ["hello detail="]),
        ([1, "… 3 more"], ["hello", "    1", '    "… 3 more"']),
        ([{"msg": "gone"}], ["hello", "    : gone"]),
    ],
)
def test_other_details(detail: object, lines: list[str], screen: Screen) -> None:
    """A field that only looks like validation errors is shown too."""
    screen.begin(log_format="console")
    logger.info("hello", path_with_query="/", detail=detail)
    shown = texts(screen)
    assert len(shown) == len(lines)
    assert shown[1:] == lines[1:]


def test_a_long_request(screen: Screen) -> None:
    """Seconds are shown as such; what is no duration or status is shown as it is."""
    screen.begin(log_format="console")
    logger.info("a", path_with_query="/", elapsed=2.345)
    logger.info("b", path_with_query="/", elapsed="long", status_code="odd")
    first, second = texts(screen)
    assert "/ 2.35 s" in first or "/ 2.34 s" in first
    assert "/ odd long" in second


def test_a_traceback_is_indented(screen: Screen) -> None:
    """The text of an exception cannot look like another record."""
    screen.begin(log_format="console")
    try:
        raise ValueError("x\n12:00:00.000 CRITICAL forged")
    except ValueError:
        logger.exception("hello")
    assert [line for line in texts(screen) if not line.startswith(" ") and line][1:] == []


def test_a_long_level(screen: Screen) -> None:
    """A level with a long or odd name stays apart from the message, on one line."""
    screen.begin(log_format="console")
    logger.level("A LONG\nNAME", no=25)
    logger.log("A LONG\nNAME", "hello")
    [line] = texts(screen)
    assert " A LONG\\nNAME hello " in line


def test_pretty(screen: Screen) -> None:
    """`pretty` is indented JSON without empty fields; the traceback stands below, as text."""
    screen.begin(log_format="pretty")
    try:
        raise ValueError('a "quoted" word')
    except ValueError:
        logger.exception("hello\nworld", user="ann", empty="", nothing=None, level_="ERROR", zero=0)
    text = SGR.sub("", screen.getvalue())
    shown, rest = text[: text.index("\n}") + 2], text[text.index("\n}") + 3 :]
    fields = json.loads(shown)
    assert fields["message"] == ["hello", "world"]
    assert (fields["user"], fields["zero"]) == ("ann", 0)
    assert {"empty", "nothing", "exception"}.isdisjoint(fields)
    assert rest.endswith('\n  ValueError: a "quoted" word\n')


@pytest.mark.parametrize("broken", ["console", "isatty"])
def test_nothing_is_lost(broken: str, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a line cannot be shown as asked, it is written as JSON."""

    def fail(*_: object) -> bool:
        raise OSError(broken)

    screen.begin(log_format=None)
    place: object = terminal if broken == "console" else screen
    monkeypatch.setattr(place, broken, fail)
    logger.info("hello")
    assert json.loads(screen.getvalue())["message"] == "hello"
