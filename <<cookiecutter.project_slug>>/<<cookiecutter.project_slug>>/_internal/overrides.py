"""Check subclasses of another package's classes, by names derived from their own code.

Each name that they override, read or assign must be in the package. Their code keeps these rules:

- `@override` marks every method that the package calls.
- Own attributes are private, or have a default in the body of the class.
- An annotation in the body, of a parameter or of a variable extends the check to its class.
"""

import ast
import dis
import inspect
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from types import ModuleType, UnionType
from typing import Any

from .upstream import codes_of, raise_missing

_STORE_ATTR = dis.opmap["STORE_ATTR"]


def check_overrides(folder: str, package: str) -> None:
    """Raise Missing if the loaded modules of `folder` use what `package` does not have."""
    modules = [module for name, module in [*sys.modules.items()] if name.startswith(f"{folder}.")]
    found = {name for module in modules for name in _Reader(module, package).missing()}
    raise_missing(sorted(found))


def replace(module: ModuleType, name: str, replacement: type) -> None:
    """Replace a class where the functions of a module look it up.

    Raises:
        Missing: they do not, or `replacement` is not a subclass of what they find.
    """
    codes = (code for code in codes_of(module.__name__) if name in code.co_names)
    steps = (step for code in codes for step in dis.get_instructions(code))
    is_used = any(step.opname == "LOAD_GLOBAL" and step.argval == name for step in steps)
    if not is_used or getattr(module, name, None) not in replacement.__mro__:
        raise_missing([f"a use of {module.__name__}.{name}"])
    setattr(module, name, replacement)


class _Reader:
    """Finds what the code of a module uses and a package lacks."""

    def __init__(self, module: ModuleType, package: str) -> None:
        self._module = module
        self._package = package

    def missing(self) -> Iterator[str]:
        loader: Any = self._module.__loader__
        source = loader.get_source(self._module.__name__) or ""  # none beside compiled modules
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                yield from self._in_class(node, getattr(self._module, node.name))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from self._in_function(node, {})

    def _in_class(self, node: ast.ClassDef, cls: type) -> Iterator[str]:
        for item in node.body:
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from self._in_override(cls, item.name)
                yield from self._in_function(item, {"self": [cls], "super": [cls.__mro__[1]]})
            elif isinstance(item, ast.AnnAssign) and not item.value:
                yield from self._lacking([cls], ast.unparse(item.target))

    def _in_override(self, cls: type, name: str) -> Iterator[str]:
        ours = vars(cls)[name]
        theirs = next((vars(base)[name] for base in self._bases(cls) if name in vars(base)), None)
        if theirs is None and hasattr(ours, "__override__"):
            yield from self._lacking([cls.__mro__[1]], name)
        if theirs is not None and not name.startswith("__") and not _accepts(ours, theirs):
            parameters = ", ".join(inspect.signature(ours).parameters)
            yield f"{self._bases(cls)[0].__name__}.{name}({parameters})"

    def _in_function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, known: dict[str, list[type]]
    ) -> Iterator[str]:
        for inner in ast.walk(node):
            match inner:
                case (
                    ast.arg(arg=name, annotation=kind)
                    | ast.AnnAssign(target=ast.Name(id=name), annotation=kind)
                    | ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), kind])
                ) if kind:
                    known[name] = [*known.get(name, []), *_classes(self._evaluate(kind))]
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute):
                yield from self._lacking(self._kinds(inner.value, known), inner.attr)
            elif isinstance(inner, ast.Call):
                yield from self._in_call(inner)

    def _in_call(self, node: ast.Call) -> Iterator[str]:
        target = self._evaluate(node.func)
        if callable(target) and self._is_upstream(target):
            parameters = inspect.signature(target).parameters
            takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
            names = {word.arg for word in node.keywords if word.arg} - parameters.keys()
            yield from (f"{target.__name__}({name})" for name in names if not takes_any)

    def _kinds(self, node: ast.expr, known: dict[str, list[type]]) -> list[type]:
        """Return the classes that a value can have, as far as annotations tell."""
        match node:
            case ast.Name(id=name):
                return known.get(name) or _classes(vars(self._module).get(name))
            case ast.Call(func=ast.Name(id="super")):
                return known["super"]
            case ast.Attribute(value=owner, attr=name):
                return [k for o in self._kinds(owner, known) for k in self._annotated(o, name)]
        return []

    def _annotated(self, cls: type, name: str) -> list[type]:
        for base in filter(_is_own, cls.__mro__):
            with suppress(NameError):  # imported for type checkers only
                if name in (found := inspect.get_annotations(base, eval_str=True)):
                    return _classes(found[name])
        return []

    def _lacking(self, owners: list[type], name: str) -> Iterator[str]:
        known = [owner for owner in owners if self._bases(owner)]
        if known and all(name not in _names(owner, self._package) for owner in known):
            yield f"{self._bases(known[0])[0].__name__}.{name}"

    def _bases(self, cls: type) -> list[type]:
        return [base for base in cls.__mro__ if self._is_upstream(base)]

    def _is_upstream(self, value: Any) -> bool:
        return str(getattr(value, "__module__", "")).startswith(f"{self._package}.")

    def _evaluate(self, node: ast.expr) -> Any:
        """Return what names of the module stand for; None for names of a function."""
        with suppress(Exception):
            if not any(isinstance(part, ast.Call) for part in ast.walk(node)):
                return eval(ast.unparse(node), vars(self._module))
        return None


def _classes(annotation: Any) -> list[type]:
    kinds = annotation.__args__ if isinstance(annotation, UnionType) else [annotation]
    return [kind for kind in kinds if isinstance(kind, type) and kind is not type(None)]


def _accepts(ours: Any, theirs: Any) -> bool:
    """Return whether a method can be called as the one that it overrides."""
    parameters = inspect.signature(ours).parameters
    if inspect.iscoroutinefunction(ours) is not inspect.iscoroutinefunction(theirs):
        return False
    return "args" in parameters or [*parameters] == [*inspect.signature(theirs).parameters]


def _is_own(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


@cache
def _names(cls: type, package: str) -> set[str]:
    """Return the names of a class: those that it has, and the attributes that its code assigns."""
    names = set(dir(cls))
    for base in cls.__mro__:
        if _is_own(base):
            names |= {name for name in _assigned(base) if name.startswith("_")}
        elif base.__module__.startswith(f"{package}."):
            names |= _assigned(base)
    return names


def _assigned(cls: type) -> set[str]:
    names: set[str] = set()
    with suppress(NameError):  # imported for type checkers only
        names |= inspect.get_annotations(cls).keys()
    for code in codes_of(cls.__module__):
        if code.co_qualname.startswith(f"{cls.__qualname__}."):
            # An instruction is two bytes; `dis.get_instructions` would take 0.1 seconds.
            steps = zip(code.co_code[::2], code.co_code[1::2], strict=True)
            names |= {code.co_names[arg] for step, arg in steps if step == _STORE_ATTR}
    return names
