"""Look up what this package replaces or reads in other packages, before it relies on it.

Private names can move with any release. Then the start ends with one line, instead of a service
that misbehaves.
"""

import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from types import CodeType, ModuleType
from typing import Any

from .log.first_lines import print_line


class Missing(Exception):
    """What a package lacks."""


@contextmanager
def required(requirement: str) -> Iterator[None]:
    """End the process with one line if a package lacks what the block imports or checks.

    Args:
        requirement: the versions that have it, as in `pyproject.toml`.
    """
    package = re.split(r"[^\w-]", requirement)[0]
    try:
        yield
    except (ImportError, AttributeError, Missing) as error:
        if not isinstance(error, Missing) and _origin(error) != package.replace("-", "_"):
            raise
        lack = str(error).partition(" (/")[0]  # without a path
        reason = f"{package} {version(package)} does not fit this service: {lack}"
        remedy = f"install {requirement} (docs/operation.md, Security releases)"
        place = traceback.extract_tb(error.__traceback__)[1]  # in the block
        print_line("CRITICAL", f"{reason}; {remedy}", place)
        raise SystemExit(1) from None


def _origin(error: ImportError | AttributeError) -> str:
    """Return the top-level package that lacks a name."""
    if isinstance(error, ImportError):
        return (error.name or "").partition(".")[0]
    owner = error.obj
    name = getattr(owner, "__module__", None) or getattr(owner, "__name__", "")
    return str(name).partition(".")[0]


def check_names(owner: Any, *names: str) -> None:
    """Raise Missing unless an object has these attributes."""
    kind = owner if isinstance(owner, type | ModuleType) else type(owner)
    raise_missing(f"{kind.__name__}.{name}" for name in names if not hasattr(owner, name))


def check_parameters(function: Callable[..., Any], *names: str) -> None:
    """Raise Missing unless a function has exactly these parameters."""
    if names != (*inspect.signature(function).parameters,):
        raise_missing([f"{function.__qualname__}({', '.join(names)})"])


def check_mentions(module: ModuleType, name: str, function: str = "") -> None:
    """Raise Missing unless a function of the module uses a name or a text."""
    codes = codes_of(module.__name__)[1:]
    used = (
        name in (*code.co_names, *code.co_consts)
        for code in codes
        if code.co_qualname.startswith(function)
    )
    if not any(used):
        raise_missing([f"{name} in {function or module.__name__}"])


def raise_missing(names: Iterable[str]) -> None:
    """Raise Missing if there are names."""
    if text := ", ".join(names):
        raise Missing(f"it lacks {text}")


@cache
def codes_of(name: str) -> list[CodeType]:
    """Return the code of a module and of everything in it."""
    loader: Any = sys.modules[name].__loader__
    codes = [loader.get_code(name)]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return codes
