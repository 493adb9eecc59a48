"""Which code is the user's own, and which is that of Python and of installed packages."""

import sys
import sysconfig
from functools import lru_cache
from typing import Any

_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def is_library_file(path: str) -> bool:
    """Return whether a source file belongs to Python or to an installed package."""
    return path.startswith(("<", *_LIBRARIES))


@lru_cache(maxsize=1024)
def is_library_class(kind: type[Any]) -> bool:
    """Return whether a class comes with Python or with an installed package."""
    module = sys.modules.get(kind.__module__)
    path = getattr(module, "__file__", None) if module else ""
    return path is None or is_library_file(path)
