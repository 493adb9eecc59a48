"""Which route took a request, as it was declared: a name for what groups requests."""

from starlette.types import Scope

UNMATCHED = "unmatched"


def route_template(scope: Scope) -> str:
    """Return the template of the path with all its prefixes, or "unmatched" where no route took it.

    Whatever clients send, there are never more of them than routes.
    """
    context = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(context, "path", "") or getattr(scope.get("route"), "path", "")
    if path and "app_root_path" in scope:
        return _mounted_at(scope, path) + path
    return path or UNMATCHED


def _mounted_at(scope: Scope, path: str) -> str:
    """Return where a mounted application is; of a place with parameters only their names are known."""
    names = [name for name in scope["path_params"] if not _has_parameter(path, name)]
    if names:
        return "".join(f"/{{{name}}}" for name in names)
    prefix: str = scope["root_path"].removeprefix(scope["app_root_path"])
    return prefix


def _has_parameter(path: str, name: str) -> bool:
    return f"{{{name}}}" in path or f"{{{name}:" in path
