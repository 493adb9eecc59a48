"""Imitate new versions of a package: its modules are changed while they are imported."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


@dataclass(frozen=True)
class Change:
    """A change of upstream code.

    Args:
        where: the name of a module; every module whose name starts with it is changed.
        old: a regular expression.
        new: its replacement; None removes the module.
        lacking: what the message must say.
    """

    where: str
    old: str
    new: str | None
    lacking: str


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, change: Change) -> None:
        super().__init__(name, path)
        self._change = change

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text("utf-8")
        changed = re.sub(self._change.old, self._change.new or "", source)
        return compile(changed, self.path, "exec")


class _Finder:
    def __init__(self, change: Change) -> None:
        self._change = change

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(self._change.where):
            return None
        if self._change.new is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.origin:
            spec.loader = _Loader(name, spec.origin, self._change)
        return spec


def imitate(change: Change) -> None:
    """Change modules that this process imports from now on."""
    sys.meta_path.insert(0, _Finder(change))
