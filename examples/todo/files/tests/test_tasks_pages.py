"""routers/tasks_pages.py, forms.py and pages.py"""

import re

import pytest
from httpx import ASGITransport, AsyncClient
from markupsafe import escape

from todo.main import app
from todo.routers.tasks_pages import PAGE_SIZE

from .browsing import TASK, create, send

HTML = {"Accept": "text/html"}
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=a()>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "\u202egnp.exe",
    "👩\u200d👩\u200d👧 Ünïcödé مهمة",
    "&lt;b&gt; %s {title}",
)


async def test_the_root_is_the_list(client: AsyncClient) -> None:
    """`/` redirects to the list, which says that it is empty."""
    response = await client.get("/", follow_redirects=True)
    assert response.url.path == "/tasks/"
    assert "No tasks here" in response.text


async def test_a_task_is_created(client: AsyncClient) -> None:
    """The form redirects to the list, which has the task and a notice."""
    response = await send(client, "/tasks/new", **TASK)
    assert response.status_code == 303
    page = await client.get(response.headers["Location"])
    assert "The task was created." in page.text
    assert "Buy milk" in page.text


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("title", " ", "Enter a title."),
        ("title", "x" * 31, "The title can have 30 characters at most."),
        ("title", "\u200b", "Enter a title."),
        ("title", "a\nb", "The title must be one line without control characters."),
        ("title", "a\x00b", "The title must be one line without control characters."),
        ("description", "x" * 1001, "The description can have 1000 characters at most."),
        ("description", "a\x00b", "The description must be text without control characters."),
        ("priority_id", "", "Choose a priority."),
        ("priority_id", "99", "There is no priority 99."),
        ("due_date", "2030-02-30", "Enter a due date, such as 2030-12-31."),
        ("due_date", "1066-10-14", "The due date must be 2000-01-01 or later."),
    ],
)
@pytest.mark.parametrize("stored", [False, True], ids=["new", "stored"])
async def test_errors_come_back_in_the_form(
    field: str, value: str, message: str, stored: bool, client: AsyncClient
) -> None:
    """The bad field has the focus, a message in plain words, and what was typed."""
    path = f"/tasks/{await create(client)}" if stored else "/tasks/new"
    response = await send(client, path, **TASK | {"title": "Typed", field: value})
    assert response.status_code == 422
    assert f'<div id="{field}-note" class="invalid-feedback">{message}</div>' in response.text
    bad = re.search(r'name="(\w+)"[^>]* aria-invalid="true" autofocus', response.text)
    assert bad is not None
    assert bad[1] == field
    assert response.text.count("aria-invalid") == response.text.count(" autofocus") == 1
    assert str(escape("Typed" if field != "title" else value)) in response.text


async def test_an_empty_form_has_all_messages(client: AsyncClient) -> None:
    """Fields that are missing are errors beside them, and the first has the focus."""
    response = await send(client, "/tasks/new")
    assert response.status_code == 422
    assert response.text.count('aria-invalid="true"') == 3
    assert response.text.count(" autofocus") == 1


async def test_a_task_is_changed(client: AsyncClient) -> None:
    """The form of a task has its values, and stores new ones."""
    task_id = await create(client, description="\n<b>\n")
    page = await client.get(f"/tasks/{task_id}")
    assert 'value="Buy milk"' in page.text
    assert ">\n&lt;b&gt;</textarea>" in page.text
    response = await send(client, f"/tasks/{task_id}", **TASK | {"title": "Buy bread"})
    assert "The changes were saved." in (await client.get(response.headers["Location"])).text
    assert (await client.get(f"/api/v1/tasks/{task_id}")).json()["title"] == "Buy bread"


async def test_a_completed_task_changes_its_tab(client: AsyncClient) -> None:
    """The form returns to the place in the list, from which the task is gone."""
    task_id = await create(client)
    response = await send(client, f"/tasks/{task_id}/completed?status=all")
    assert response.status_code == 303
    assert response.headers["Location"] == "/tasks/?status=all&notice=completed"
    assert "Buy milk" not in (await client.get("/tasks/")).text
    assert "Buy milk" in (await client.get("/tasks/?status=completed")).text


async def test_deletion_asks_first(client: AsyncClient) -> None:
    """A page asks for a confirmation; its form deletes."""
    task_id = await create(client)
    path = f"/tasks/{task_id}/deleted"
    assert f'<form method="post" action="{path}?' in (await client.get(path)).text
    assert (await client.get(f"/tasks/{task_id}")).status_code == 200
    assert (await send(client, path)).status_code == 303
    assert (await client.get(f"/tasks/{task_id}", headers=HTML)).status_code == 404


@pytest.mark.parametrize("title", HOSTILE)
async def test_a_title_is_text(title: str, client: AsyncClient) -> None:
    """Whatever a title contains is shown as it is, on every page."""
    task_id = await create(client, title=title)
    for path in ("/tasks/", f"/tasks/{task_id}", f"/tasks/{task_id}/deleted"):
        text = (await client.get(path)).text
        assert f"<bdi>{escape(title)}</bdi>" in text
        assert "<script" not in text
        assert "<img" not in text


@pytest.mark.parametrize("task_id", ["0", "-1", "x", "1.5", "%00", "2147483648", "9" * 5000, "٣"])
@pytest.mark.parametrize("page", ["", "/deleted"])
async def test_a_bad_id_is_not_found(task_id: str, page: str, client: AsyncClient) -> None:
    """The response is the page of an unknown address."""
    response = await client.get(f"/tasks/{task_id}{page}", headers=HTML)
    assert response.status_code == 404
    assert "<h1" in response.text


async def test_a_long_list_has_pages(client: AsyncClient) -> None:
    """Links lead to the next page; a page beyond the last redirects to the last."""
    for number in range(PAGE_SIZE + 1):
        await create(client, title=f"Task {number:02}")
    first = (await client.get("/tasks/")).text
    assert f"{PAGE_SIZE + 1} tasks" in first
    assert 'href="/tasks/?status=todo&amp;page=2"' in first
    second = (await client.get("/tasks/?page=2")).text
    assert second.count("<bdi>") == 1
    assert 'href="/tasks/?status=todo&amp;page=1"' in second
    beyond = await client.get("/tasks/?page=9&notice=deleted")
    assert beyond.headers["Location"] == "/tasks/?page=2&notice=deleted"


async def test_overdue_is_a_word(client: AsyncClient) -> None:
    """A task whose due date has passed is marked by more than a colour."""
    await create(client)
    assert "Overdue" not in (await client.get("/tasks/")).text
    await create(client, due_date="2020-01-01")
    assert "Overdue" in (await client.get("/tasks/")).text


@pytest.mark.parametrize("path", ["/tasks/", "/tasks/new", "/nowhere", "/tasks/?page=0"])
async def test_pages_load_and_run_nothing(path: str, client: AsyncClient) -> None:
    """Every page, those of errors too, has a policy without scripts and other hosts."""
    response = await client.get(path, headers=HTML)
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "http" not in response.text


async def test_the_stylesheet_is_kept(client: AsyncClient) -> None:
    """Pages name a file that exists, refers to no other file, and never changes."""
    found = re.search(r'href="(/static/[^"]+)"', (await client.get("/tasks/")).text)
    assert found is not None
    response = await client.get(found[1])
    assert "immutable" in response.headers["Cache-Control"]
    assert "sourceMappingURL" not in response.text
    assert set(re.findall(r"url\(([^)]{1,6})", response.text)) == {'"data:'}


async def test_pages_work_below_a_root_path(client: AsyncClient) -> None:
    """Links, forms and redirects begin with ROOT_PATH, whatever the Host header is."""
    await create(client)
    transport = ASGITransport(app=app, root_path="/base")
    async with AsyncClient(transport=transport, base_url="http://test/base") as below:
        page = await below.get("/tasks/", headers={"Host": "[::"})
        assert (await below.get("/")).headers["Location"] == "/base/tasks/"
        assert (await below.get("/static/x", headers=HTML)).status_code == 404
    links = re.findall(r'(?:href|action)="([^"]+)"', page.text)
    assert {link[:6] for link in links} == {"/base/", "#main", "data:,"}


async def test_programs_see_only_the_api(client: AsyncClient) -> None:
    """The pages are not in the description of the API, which still has its documentation."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert not [path for path in paths if path.startswith("/tasks")]
    assert "Content-Security-Policy" not in (await client.get("/docs", headers=HTML)).headers
