"""csrf.py"""

import re

import pytest
from fastapi.routing import APIRoute
from httpx import ASGITransport, AsyncClient, Headers

from todo import resources
from todo.main import app
from todo.routers.tasks_pages import router

from .browsing import TASK, create, send
from .conftest import Log

POSTS = [r.path for r in router.routes if isinstance(r, APIRoute) and r.methods == {"POST"}]


@pytest.mark.parametrize("token", ["", "x", "é" * 43, "A" * 43, "A" * 100_000])
@pytest.mark.parametrize("path", POSTS)
async def test_a_form_needs_the_token(path: str, token: str, client: AsyncClient) -> None:
    """Another token changes nothing; the response is a page that says what to do."""
    task_id = await create(client)
    before = (await client.get("/api/v1/tasks")).json()
    client.headers["Accept"] = "text/html"
    response = await send(client, path.format(task_id=task_id), **TASK, csrf_token=token)
    assert response.status_code == 403
    assert "reload the page" in response.text
    del client.headers["Accept"]
    assert (await client.get("/api/v1/tasks")).json() == before


@pytest.mark.parametrize("cookie", ["", "x", "é"])
async def test_a_form_needs_the_cookie(cookie: str, client: AsyncClient) -> None:
    """A token that was never given out is refused, though form and cookie agree."""
    headers = Headers({"Cookie": f"csrf_token={cookie}"}, encoding="latin-1")
    response = await client.post("/tasks/new", data=TASK | {"csrf_token": cookie}, headers=headers)
    assert response.status_code == 403


@pytest.mark.parametrize("path", POSTS)
async def test_a_forged_form_takes_no_connection(
    path: str, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form is read and checked before the database is asked for anything."""
    monkeypatch.delattr(resources, "database")
    assert (await client.post(path.format(task_id=1))).status_code == 403


async def test_a_multipart_form_is_refused(client: AsyncClient) -> None:
    """Pages send no files, so that their parser cannot be attacked."""
    await client.get("/tasks/new")
    token = client.cookies["csrf_token"]
    files = {"csrf_token": (None, token)} | {name: (None, value) for name, value in TASK.items()}
    assert (await client.post("/tasks/new", files=files)).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://test"}, 403),
        ({"Origin": "http://test"}, 303),
        ({"Origin": "http://test.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_other_sites_are_refused(
    headers: dict[str, str], status: int, client: AsyncClient
) -> None:
    """What a browser says of the origin counts even if the token is right."""
    client.headers.update(headers)
    assert (await send(client, "/tasks/new", **TASK)).status_code == status


async def test_the_cookie_is_kept(client: AsyncClient) -> None:
    """Pages set the cookie once, out of reach of scripts and of forms of other sites."""
    first = await client.get("/tasks/")
    assert first.headers["Set-Cookie"].endswith("; HttpOnly; Path=/; SameSite=lax")
    assert "Set-Cookie" not in (await client.get("/tasks/new")).headers


async def test_https_binds_the_cookie_to_the_host(client: AsyncClient) -> None:
    """Over HTTPS, no other host of the domain can set the cookie."""
    transport = ASGITransport(app=app)
    async with AsyncClient(transport=transport, base_url="https://test") as secure:
        cookie = (await secure.get("/tasks/")).headers["Set-Cookie"]
        assert re.fullmatch(r"__Host-csrf_token=[^;]{43}; HttpOnly; Path=/; [^;]+; Secure", cookie)
        form = TASK | {"csrf_token": secure.cookies["__Host-csrf_token"]}
        assert (await secure.post("/tasks/new", data=form)).status_code == 303


async def test_the_token_is_in_no_line(client: AsyncClient, log: Log) -> None:
    """The log has neither the token of the cookie nor a wrong one."""
    await send(client, "/tasks/new", **TASK)
    await send(client, "/tasks/new", csrf_token="forged")
    lines = str(log())
    assert "ForgedForm" in lines
    assert client.cookies["csrf_token"] not in lines
    assert "forged" not in lines


@pytest.mark.parametrize("failing", ["pages.templates.TemplateResponse", "tasks.create_task"])
async def test_the_token_is_in_no_traceback(
    failing: str, client: AsyncClient, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure with the form or its page shows neither the token nor the cookie."""

    def fail(*args: object, **options: object) -> None:
        raise RuntimeError(f"failed with {options}")

    await client.get("/tasks/new")
    token = client.cookies["csrf_token"]
    monkeypatch.setattr(f"todo.{failing}", fail)
    form = TASK | {"csrf_token": token, "title": "" if "pages" in failing else "x"}
    assert (await client.post("/tasks/new", data=form)).status_code == 500
    (line,) = log("unhandled exception")
    assert "RuntimeError" in line["exception"]
    assert token not in str(line)
