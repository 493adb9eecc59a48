"""Source lines as a traceback may show them: literals that stand for a secret are masked."""

import ast
import textwrap
from collections.abc import Iterator
from functools import singledispatch
from typing import cast

from .redaction import MASK, is_secret, redact

_MASKED_LITERAL = repr(MASK)


def mask_source(source: str) -> str:
    """Return Python `source` with the same lines, without the secrets that are written into it.

    A literal is masked where it is assigned to, compared with, or passed under a secret name; inside
    other texts and comments the rule for free text holds. What cannot be parsed is treated as text.
    """
    lines = source.splitlines()
    code = textwrap.dedent(source)
    try:
        tree = ast.parse(code)
    except Exception:  # a fragment, or nested too deeply
        return "\n".join(map(redact, lines))
    margin = len(lines[0]) - len(code.splitlines()[0]) if lines else 0
    # From the end, so that a replacement does not move those before it.
    for node, literal in sorted(_replacements(tree).items(), key=_position, reverse=True):
        _replace(lines, node, literal, margin)
    return "\n".join(_redact_comment(line) for line in lines)


def _position(item: tuple[ast.expr, str]) -> tuple[int, int]:
    return item[0].lineno, item[0].col_offset


def _replacements(tree: ast.AST) -> dict[ast.expr, str]:
    found: dict[ast.expr, str] = {}
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):  # an f-string comes before its parts
        if isinstance(node, ast.JoinedStr):
            parts.update(child for child in ast.walk(node) if child is not node)
            if any(_text_of(part) for part in node.values):
                found[node] = _MASKED_LITERAL
        elif node not in parts and (masked := _text_of(node)):
            found.setdefault(cast(ast.expr, node), repr(masked))
        for value in _secret_values(node):
            found |= dict.fromkeys(_literals(value), _MASKED_LITERAL)
    # An f-string is replaced as a whole.
    return {node: literal for node, literal in found.items() if node not in parts}


def _text_of(node: ast.AST) -> str:
    """Return the masked text of a literal that holds a secret, else an empty one."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str | bytes):
        return ""
    text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
    masked = redact(text)
    return masked if masked != text else ""


def _literals(value: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(value):
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and _can_be_secret(node.value)
        ):
            yield node


def _can_be_secret(value: object) -> bool:
    """Tell a text or a long number from an index and the like."""
    return isinstance(value, str | bytes) or (type(value) in (int, float) and len(str(value)) >= 4)


@singledispatch
def _secret_values(node: ast.AST) -> list[ast.AST]:
    """Return the expressions below `node` that stand for a secret."""
    return []


@_secret_values.register
def _(node: ast.Assign) -> list[ast.AST]:
    return [node.value] if any(_names_secret(target) for target in node.targets) else []


@_secret_values.register(ast.AnnAssign)
@_secret_values.register(ast.AugAssign)
@_secret_values.register(ast.NamedExpr)
def _(node: ast.AnnAssign | ast.AugAssign | ast.NamedExpr) -> list[ast.AST]:
    return [node.value] if node.value and _names_secret(node.target) else []


@_secret_values.register
def _(node: ast.keyword) -> list[ast.AST]:
    return [node.value] if node.arg and is_secret(node.arg) else []


@_secret_values.register
def _(node: ast.Dict) -> list[ast.AST]:
    pairs = zip(node.keys, node.values, strict=True)
    return [value for key, value in pairs if key and _names_secret(key)]


@_secret_values.register
def _(node: ast.Compare) -> list[ast.AST]:
    sides = [node.left, *node.comparators]
    return list[ast.AST](sides) if any(_names_secret(side) for side in sides) else []


@_secret_values.register(ast.Tuple)
@_secret_values.register(ast.List)
def _(node: ast.Tuple | ast.List) -> list[ast.AST]:
    return [node.elts[1]] if len(node.elts) == 2 and _is_secret_text(node.elts[0]) else []


@_secret_values.register
def _(node: ast.Call) -> list[ast.AST]:
    """`environ.get("DB_PASSWORD", "hunter2")`"""
    return list(node.args[1:]) if node.args and _is_secret_text(node.args[0]) else []


@_secret_values.register
def _(node: ast.arguments) -> list[ast.AST]:
    names = [*node.posonlyargs, *node.args]
    pairs = [
        *zip(reversed(names), reversed(node.defaults), strict=False),
        *zip(node.kwonlyargs, node.kw_defaults, strict=True),
    ]
    return [default for argument, default in pairs if default and is_secret(argument.arg)]


def _names_secret(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return is_secret(node.id)
    if isinstance(node, ast.Attribute):
        return is_secret(node.attr)
    if isinstance(node, ast.Subscript):
        return _names_secret(node.slice)
    if isinstance(node, ast.Tuple):
        return any(_names_secret(element) for element in node.elts)
    return _is_secret_text(node)


def _is_secret_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and is_secret(node.value)


def _replace(lines: list[str], node: ast.expr, literal: str, margin: int) -> None:
    """Put `literal` where `node` stands; the lines it spans stay, so that numbers stay true."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    # Offsets count bytes of UTF-8.
    before = lines[first].encode()[: margin + node.col_offset].decode()
    after = lines[last].encode()[margin + (node.end_col_offset or 0) :].decode()
    if first == last:
        lines[first] = before + literal + after
    else:
        lines[first : last + 1] = [before + literal, *[""] * (last - first - 1), after]


def _redact_comment(line: str) -> str:
    code, mark, comment = line.partition("#")
    return code + mark + redact(comment) if mark else line
