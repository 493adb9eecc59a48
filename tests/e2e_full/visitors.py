"""Clients of the to-do application that know the expected responses and what must be stored."""

import asyncio
import html
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any, Self

import httpx

VISITORS = 16
ROUND = 25  # requests of `Visitor.round`
API = "/api/v1/tasks"
HTML = {"Accept": "text/html"}


def task(title: str, priority: int = 2) -> dict[str, object]:
    """Return a task as a client sends it."""
    description = "'; DROP TABLE tasks -- \\"
    return {
        "title": title,
        "description": description,
        "priority_id": priority,
        "due_date": "2031-05-31",
    }


@dataclass
class Visitor:
    """One client, with its cookies.

    Attributes:
        stored: title -> open, completed or deleted, as the database must have it.
        ids: the request ids of all responses.
        wrong: the unexpected responses.
    """

    client: httpx.AsyncClient
    number: int
    stored: dict[str, str] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, status: int, text: str = "", **sent: Any
    ) -> httpx.Response:
        """Send a request, and compare the response's status and a part of its body."""
        response = await self.client.request(method, path, **sent)
        self.ids.append(response.headers["x-request-id"])
        # Pages have characters as entities, JSON has them as they are.
        body = html.unescape(response.text)
        if response.status_code != status or text not in body:
            self.wrong.append(f"{method} {path}: {response.status_code} {body[-500:]!r}")
        return response

    async def round(self, number: int) -> None:
        """Make and change tasks by both ways, and make every mistake."""
        name = f"😀 {self.number}-{number}"
        await self._use_api(name)
        await self._use_pages(name)

    async def _use_api(self, name: str) -> None:
        """Send 12 requests for JSON."""
        title = f"{name} a"
        made = await self.ask("POST", API, 201, title, json=task(title))
        path = f"{API}/{made.json()['id']}"
        await self.ask("GET", path, 200, title)
        title += " changed"
        await self.ask("PUT", path, 200, title, json=task(title))
        await self.ask("GET", f"{API}?limit=5&status=todo", 200, '"total":')
        await self.ask("PUT", f"{path}/completed", 200, title)
        self.stored[title] = "completed"

        title = f"{name} b"
        made = await self.ask("POST", API, 201, title, json=task(title))
        path = f"{API}/{made.json()['id']}"
        await self.ask("DELETE", path, 204)
        self.stored[title] = "deleted"
        await self.ask("GET", path, 404, '"status": 404')
        await self.ask("POST", API, 422, "#/title", json=task(""))
        await self.ask("POST", API, 422, '"status": 422', content=b'{"title": ')
        await self.ask("PATCH", API, 405, '"status": 405')
        await self.ask("GET", "/api/v1/priorities", 200, "High")

    async def _use_pages(self, name: str) -> None:
        """Send 13 requests of a browser."""
        new = await self.ask("GET", "/tasks/new", 200, "<form", headers=HTML)
        token = {"csrf_token": _found(r'name="csrf_token" value="([^"]+)"', new.text)}
        form = {"title": f"{name} c", "description": "<b>", "priority_id": "1"}
        form["due_date"] = "2031-05-31"
        await self.send("/tasks/new", 303, form | token)
        self.stored[form["title"]] = "open"
        await self.send("/tasks/new", 403, form)
        await self.send("/tasks/new", 422, form | token | {"title": f"{name} {'x' * 30}"}, name)

        style = _found(r'href="(/static/[^"]+)"', new.text)
        await self.ask("GET", style, 200, "Bootstrap")
        title = f"{name} d"
        made = await self.ask("POST", API, 201, title, json=task(title))
        path = f"/tasks/{made.json()['id']}"
        await self.ask("GET", path, 200, title, headers=HTML)
        form["title"] = f"{name} d saved"
        await self.send(path, 303, form | token)
        await self.send(f"{path}/completed", 303, token)
        await self.send(f"{path}/deleted", 303, token)
        self.stored[form["title"]] = "deleted"
        await self.ask("GET", path, 404, "</html>", headers=HTML)
        await self.ask("GET", "/tasks/?status=completed", 200, "</html>", headers=HTML)
        await self.ask("GET", "/tasks/download/todo", 200, f"{name} c", headers=HTML)

    async def send(self, path: str, status: int, fields: dict[str, str], text: str = "") -> None:
        """Send a form as a browser does."""
        await self.ask("POST", path, status, text, data=fields, headers=HTML)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, f"no {pattern} in {text}"
    return found[1]


@asynccontextmanager
async def _clients(url: str, tls: ssl.SSLContext) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Open a client for each visitor."""
    clients = [httpx.AsyncClient(base_url=url, verify=tls, timeout=60, trust_env=False)
               for _ in range(VISITORS)]  # fmt: skip
    yield clients
    for client in clients:
        await client.aclose()


def visit(url: str, tls: ssl.SSLContext, rounds: int) -> list[Visitor]:
    """Let 16 visitors send `rounds` times 25 requests each, at the same time."""

    async def stay(visitor: Visitor) -> Visitor:
        for number in range(rounds):
            await visitor.round(number)
        return visitor

    async def run() -> list[Visitor]:
        async with _clients(url, tls) as clients:
            visitors = [Visitor(client, number) for number, client in enumerate(clients)]
            return await asyncio.gather(*map(stay, visitors))

    return asyncio.run(run())


@dataclass
class Answer:
    """A response of the load, and how long it took."""

    method: str
    status: int
    request_id: str
    retry_after: str
    title: str
    seconds: float


class Load:
    """Reads and writes by 16 clients in the background, while the context is open."""

    def __init__(self, url: str, tls: ssl.SSLContext, name: str) -> None:
        self.answers: list[Answer] = []
        self.broken: list[str] = []
        self._address = (url, tls)
        self._name = name
        self._stopped = Event()
        self._flowing = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._flowing.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def failed(self) -> list[Answer]:
        """The responses that say that something failed."""
        return [answer for answer in self.answers if answer.status >= 400]

    @property
    def slowest(self) -> float:
        """The time of the slowest response, in seconds."""
        return max(answer.seconds for answer in self.answers)

    def written(self) -> set[str]:
        """Return the titles of the tasks that the service said it had stored."""
        return {answer.title for answer in self.answers if answer.status == 201}

    async def _run(self) -> None:
        async with _clients(*self._address) as clients:
            await asyncio.gather(*(self._work(*one) for one in enumerate(clients)))

    async def _work(self, visitor: int, client: httpx.AsyncClient) -> None:
        number = 0
        while not self._stopped.is_set():
            number += 1
            title = f"{self._name} {visitor}-{number}"
            await self._ask(title, lambda: client.post(API, json=task(title)))  # noqa: B023
            await self._ask("", lambda: client.get("/tasks/", headers=HTML))
            await asyncio.sleep(0.1)

    async def _ask(self, title: str, ask: Callable[[], Awaitable[httpx.Response]]) -> None:
        began = time.monotonic()
        try:
            response = await ask()
        except httpx.TransportError as error:
            self.broken.append(repr(error))
            return
        headers = response.headers
        self.answers.append(
            Answer(
                response.request.method,
                response.status_code,
                headers["x-request-id"],
                headers.get("retry-after", ""),
                title,
                time.monotonic() - began,
            )
        )
        self._flowing.set()
