"""Distinguish the service's own code from that of Python and installed packages."""

import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

# `os` is where the standard library is: the other path can be a link to it.
_ROOTS = {os.path.dirname(os.__file__)} | {
    sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")
}
_LIBRARIES = tuple(root + os.sep for root in _ROOTS)
# The user's packages, Debian's, and those of environments below the project.
_LIBRARY_FOLDERS = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))

# The package may be installed as a library itself.
_PACKAGE = str(Path(__file__).parents[2]) + os.sep
# Its frames are in every traceback.
_INTERNAL = str(Path(__file__).parents[1]) + os.sep


def is_library_file(path: str) -> bool:
    """Return whether a source file belongs to Python or to an installed package."""
    return path.startswith(("<", *_LIBRARIES)) or any(part in path for part in _LIBRARY_FOLDERS)


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
