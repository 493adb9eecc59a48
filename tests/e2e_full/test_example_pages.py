"""The pages of examples/todo in a browser.

Run with PICTURES=1, the test of the pictures replaces those of examples/todo/README.md.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.renders import TEMPLATE, command, run

pytest.importorskip("playwright", reason="the group `browser` is not installed")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
# As root, and without requests to other hosts.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
EXAMPLE = TEMPLATE / "examples" / "todo"
LONG = "W" * 30
HOSTILE = "<script>document.title=1</script>"[:30]
Open = Callable[..., Page]


@dataclass
class Service:
    """The served example."""

    url: str

    def create(self, title: str, days: int = 30, **changes: object) -> int:
        """Create a task that is due in some days, and return its id."""
        task = {"title": title, "priority_id": 2, "due_date": in_days(days)} | changes
        response = httpx.post(f"{self.url}/api/v1/tasks", json=task)
        assert response.status_code == 201, response.text
        return int(response.json()["id"])

    def delete_all(self) -> None:
        """Delete all tasks."""
        for task in httpx.get(f"{self.url}/api/v1/tasks?limit=100").json()["items"]:
            httpx.delete(f"{self.url}/api/v1/tasks/{task['id']}").raise_for_status()

    def titles(self) -> dict[str, bool]:
        """Return the tasks' titles, and whether each is completed."""
        items = httpx.get(f"{self.url}/api/v1/tasks?limit=100").json()["items"]
        return {task["title"]: task["completed_at"] is not None for task in items}


def in_days(days: int) -> str:
    """Return a date near today."""
    return (date.today() + timedelta(days=days)).isoformat()  # noqa: DTZ011 - of the same machine


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed, with the tables of its SQLite file."""
    folder = tmp_path_factory.mktemp("example")
    project = folder / "todo"
    for words, cwd in (
        ((sys.executable, "make_example.py", str(folder)), TEMPLATE),
        ((command("uv"), "sync", "--quiet"), project),
        ((project / ".venv/bin/python", "-m", "todo.migrations"), project),
    ):
        done = run(*words, cwd=cwd)
        assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="module")
def service(project: Path) -> Generator[Service]:
    """The example as a process, which logs no error while it serves all tests."""
    log = project.parent / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [project / ".venv/bin/python", "-m", "todo"],
            cwd=project,
            env=os.environ | {"PORT": "0", "METRICS_PORT": "0", "LOG_LEVEL": "INFO"},
            stdin=subprocess.DEVNULL,
            stderr=output,
        )
    with process, log.open() as lines:
        try:
            while "Running on" not in (line := lines.readline()):
                assert process.poll() is None, log.read_text()
            yield Service(json.loads(line)["message"].split()[2])
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
    written = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line for line in written if line["level"] not in ("INFO", "DEBUG")] == []
    assert [line for line in written if line.get("status_code") == 404] == []


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """A headless browser with a new profile."""
    if CHROMIUM is None:
        pytest.skip("no browser: chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, service: Service) -> Iterator[Open]:
    """A function that opens a page; its console has no complaint but of an invalid form."""
    complaints: list[str] = []

    def note_message(message: ConsoleMessage) -> None:
        if "status of 422" not in message.text:
            complaints.append(message.text)

    def note_failure(response: Response) -> None:
        if response.status not in (200, 303, 307, 422):
            complaints.append(f"{response.status} {response.url}")

    def open_page(path: str = "/", **options: Any) -> Page:
        context = chromium.new_context(base_url=service.url, locale="en-US", **options)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("console", note_message)
        page.on("response", note_failure)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in chromium.contexts:
        context.close()
    assert complaints == []


def fill(page: Page, title: str, due: str = "2030-01-02") -> None:
    """Fill in the form of a task."""
    page.get_by_label("Title").fill(title)
    page.get_by_label("Priority").select_option("High")
    page.get_by_label("Due date").fill(due)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_the_life_of_a_task(scripts: bool, open_page: Open, service: Service) -> None:
    """A task is created, changed, completed and deleted, also without JavaScript."""
    page = open_page("/", java_script_enabled=scripts)
    page.get_by_role("link", name="New task").click()
    fill(page, HOSTILE)
    page.get_by_label("Description").fill("\ntwo\nlines")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("status")).to_have_text("The task was created.")
    page.get_by_role("link", name=HOSTILE, exact=True).click()
    expect(page.get_by_label("Description")).to_have_value("two\nlines")
    page.get_by_label("Title").fill("Paint the fence")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Paint the fence")
    page.get_by_role("link", name="Back to the list").click()
    page.get_by_role("button", name="Complete Paint the fence").click()
    expect(page.get_by_role("status")).to_have_text("The task is completed.")
    assert service.titles()["Paint the fence"]
    page.get_by_role("link", name="Completed", exact=True).click()
    page.get_by_role("link", name="Delete Paint the fence").click()
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile(r"/tasks/\?status=completed&notice=deleted"))
    assert "Paint the fence" not in service.titles()


def test_an_invalid_form(open_page: Open, service: Service) -> None:
    """The first bad field has the focus and its message; what was typed is still there."""
    page = open_page("/tasks/new")
    fill(page, "x" * 31, due="1999-12-31")
    page.get_by_role("button", name="Create").click()
    title = page.get_by_label("Title")
    expect(title).to_be_focused()
    expect(title).to_have_value("x" * 31)
    expect(title).to_have_accessible_description("The title can have 30 characters at most.")
    date = page.get_by_label("Due date")
    expect(date).to_have_accessible_description("The due date must be 2000-01-01 or later.")
    expect(page.get_by_label("Priority")).to_have_value("1")
    title.fill("Shorter")
    date.fill("2030-01-02")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert "Shorter" in service.titles()


def test_the_downloads(open_page: Open, service: Service) -> None:
    """The link saves a file with a date in its name, and in it the tasks."""
    service.create("=1+1")
    page = open_page()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="tasks to do").click()
    assert re.fullmatch(r"tasks-todo-\d{4}-\d\d-\d\d\.csv", waiting.value.suggested_filename)
    assert '"\'=1+1"' in Path(waiting.value.path()).read_text("utf-8")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until an element with this name or text has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        focused = "document.activeElement.name || document.activeElement.textContent.trim()"
        if page.evaluate(focused) == name:
            return
    pytest.fail(f"Tab does not reach {name!r}")


def test_the_keyboard_alone(open_page: Open, service: Service) -> None:
    """Every step can be done without a mouse, and the first stop skips the navigation."""
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.goto("/tasks/")
    tab_to(page, "New task")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/tasks/new"))
    tab_to(page, "title")
    page.keyboard.type("Typed")
    tab_to(page, "priority_id")
    page.keyboard.type("High")
    tab_to(page, "due_date")
    page.keyboard.type("01022001")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The task was created.")
    tab_to(page, "Complete Typed")
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_have_text("The task is completed.")
    assert service.titles()["Typed"]
    page.goto("/tasks/?status=completed")
    tab_to(page, "Delete Typed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Delete Typed?")).to_be_visible()
    tab_to(page, "Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The task was deleted.")
    assert "Typed" not in service.titles()


def all_pages(service: Service) -> list[str]:
    """Return the address of each kind of page, with an overdue task of a long title."""
    task = service.create(LONG, -3, description="x" * 1000)
    own = [f"/tasks/{task}", f"/tasks/{task}/deleted"]
    return ["/tasks/", "/tasks/?status=all&notice=created", "/tasks/new", *own, "/tasks/?page=0"]


def test_a_phone(open_page: Open, service: Service) -> None:
    """At a width of 375 pixels no page is wider than the screen."""
    page = open_page(viewport={"width": 375, "height": 667})
    for path in all_pages(service):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path


def test_accessibility(open_page: Open, service: Service) -> None:
    """axe finds no violation (WCAG 2 A and AA, best practices) on any page."""
    page = open_page()
    for path in all_pages(service):
        page.goto(path)
        check_with_axe(page)
    page.goto("/tasks/new")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_label("Title")).to_be_focused()
    check_with_axe(page)


def check_with_axe(page: Page) -> None:
    """Assert that a page has no violation."""
    found = Axe().run(page).response["violations"]
    seen = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]
    assert seen == [], page.url


def test_the_pictures(open_page: Open, service: Service, tmp_path: Path) -> None:
    """The pictures of the example's README can be drawn, and are small."""
    service.delete_all()
    folder = EXAMPLE if os.environ.get("PICTURES") else tmp_path
    for title, days, priority in (
        ("Renew the certificate", -4, 1),
        ("Order a new printer", -2, 2),
        ("Write the release notes", 3, 1),
        ("Call the dentist", 9, 2),
        ("Back up the photos", 14, 3),
    ):
        text = "Ask for an appointment in the morning." if "dentist" in title else ""
        service.create(title, days, priority_id=priority, description=text)
    page = open_page(viewport={"width": 900, "height": 620})
    page.screenshot(path=folder / "list.png")
    page.get_by_role("link", name="Call the dentist", exact=True).click()
    page.screenshot(path=folder / "form.png", full_page=True)
    for name in ("list.png", "form.png"):
        assert 5_000 < (folder / name).stat().st_size < 80_000
