"""The path template of the route that matched a request, to group requests by."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import routing
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope

UNMATCHED = "unmatched"

# Before FastAPI 0.137, `include_router` copied the routes.
_iter_routes: Callable[[Sequence[BaseRoute]], Iterator[Any]] = getattr(
    routing, "iter_route_contexts", iter
)


def route_template(scope: Scope) -> str:
    """Return the path template with all its prefixes, or "unmatched" if no route matched.

    Whatever clients send, the number of templates is limited by the number of routes.
    """
    path = _own_path(scope)
    if "app_root_path" in scope or ("endpoint" in scope and not path):
        # Mounts and Starlette's own routes leave no template in the scope.
        path = _declared_path(scope, path)
    return path or UNMATCHED


def _own_path(scope: Scope) -> str:
    """Return the template that FastAPI or a Starlette router left in the scope."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    if path := getattr(context, "path", ""):
        return str(path)
    route = scope.get("route")
    return "" if isinstance(route, Mount) else getattr(route, "path", "")


def _declared_path(scope: Scope, own_path: str) -> str:
    """Match the request against the route tables again and return the full template."""
    asked = {name: scope[name] for name in ("type", "method", "path", "headers") if name in scope}
    asked["root_path"] = scope.get("app_root_path", scope.get("root_path", ""))
    routes = getattr(scope.get("router"), "routes", ())
    try:
        return _find(routes, asked, own_path) or own_path
    except Exception:  # raised by a convertor
        return own_path


def _find(routes: Sequence[BaseRoute], asked: Scope, own_path: str) -> str:
    """Return the template below these routes; empty if none of them matches."""
    partial = ""
    for route in _iter_routes(routes):
        match, found = route.matches(asked)
        if match is Match.FULL:
            return _path_of(route, {**asked, **found}, own_path)
        if match is Match.PARTIAL and not partial:  # the path matches, the method does not
            partial = _path(route)
    return partial


def _path_of(route: Any, asked: Scope, own_path: str) -> str:
    path = _path(route)
    routes = getattr(route, "routes", None)
    if routes is None:
        return path
    if not routes:  # static files, or an application behind middleware
        return path + (own_path or "/{path:path}")
    inner = _find(routes, asked, own_path)
    return path + inner if inner else ""


def _path(route: Any) -> str:
    return getattr(route, "path", "") or ""  # a Host has none
