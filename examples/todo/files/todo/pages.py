"""HTML: templates, and the headers of every page."""

from collections.abc import Mapping
from http.client import responses
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.templating import Jinja2Templates

from .csrf import csrf_token, keep_csrf_token
from .logging import request_id

PACKAGE = Path(__file__).parent
# Pages have one stylesheet, which draws its icons by `data:`, and forms; nothing else loads or runs.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # with `no-referrer` forms would have no Origin
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}


class VersionedFiles(StaticFiles):
    """Files whose names change with their contents."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """Let browsers keep the file for a year without a question."""
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


static_files = VersionedFiles(directory=PACKAGE / "static")


def path_for(request: Request, name: str, **params: object) -> str:
    """Return the path of a route, with ROOT_PATH and without the host, which clients can forge."""
    root = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    return f"{root.rstrip('/')}{request.app.url_path_for(name, **params)}"


@pass_context
def _path_for(context: Context, name: str, **params: object) -> str:
    return path_for(context["request"], name, **params)


templates = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(PACKAGE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
)
templates.env.globals["path_for"] = _path_for


def page(request: Request, template: str, status: int = 200, **context: object) -> HTMLResponse:
    """Return a page; its forms have the client's CSRF token."""
    context["csrf_token"] = token = csrf_token(request)
    response = templates.TemplateResponse(request, template, context, status, HEADERS)
    keep_csrf_token(request, response, token)
    return response


def wants_page(request: Request) -> bool:
    """Return whether the client asks for HTML, as browsers do when they navigate."""
    return "text/html" in request.headers.get("accept", "")


def error_page(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """Return a page that says what went wrong; it needs no database."""
    context = {
        "title": responses.get(status, "Error"),
        "status": status,
        "detail": detail,
        "request_id": request_id(),
    }
    return templates.TemplateResponse(
        request, "error.html", context, status, {**(headers or {}), **HEADERS}
    )
