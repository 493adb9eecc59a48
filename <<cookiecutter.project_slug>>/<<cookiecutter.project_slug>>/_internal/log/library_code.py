"""Distinguish the service's own code from that of Python and installed packages."""

import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

_LIBRARIES = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib")})

# The package may be installed as a library itself.
_PACKAGE = str(Path(__file__).parents[2]) + os.sep
# Its frames are in every traceback.
_INTERNAL = str(Path(__file__).parents[1]) + os.sep


def is_library_file(path: str) -> bool:
    """Return whether a source file belongs to Python or to an installed package."""
    return path.startswith(("<", *_LIBRARIES))


def is_in_app(code: CodeType) -> bool:
    """Return whether code is the service's own, not a library's or that of `_internal`."""
    name = code.co_filename
    if name.startswith(_PACKAGE):
        return not name.startswith(_INTERNAL)
    return not is_library_file(name)


@lru_cache(maxsize=1024)
def is_library_class(kind: type[Any]) -> bool:
    """Return whether a class belongs to Python or to an installed package."""
    module = sys.modules.get(kind.__module__)
    path = getattr(module, "__file__", None) if module else ""
    return path is None or is_library_file(path)
