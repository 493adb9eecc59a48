"""Redact source lines for tracebacks: mask literals behind secret names."""

import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from .redaction import redact
from .secret_names import MASK, is_secret

_NAME = re.compile(r"[\w.\-]+")
# A literal, or the middle of an f-string, which has no quotation marks.
_STRING = re.compile(
    r"""(?P<opening>(?:\w{0,2}["'](?:["']{2})?)?)(?P<text>.*?)(?P<closing>["']{0,3})""", re.DOTALL
)
# Since Python 3.12 an f-string is several tokens; before, it is one.
_MIDDLE = getattr(tokenize, "FSTRING_MIDDLE", -1)
_MASKED = repr(MASK)
_FRAGMENT_ERRORS = (tokenize.TokenError, SyntaxError)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_COMPARISONS = ("==", "!=", "<=", ">=")


def redact_source(source: str) -> str:
    """Return Python `source` with the same lines and its hard-coded secrets masked.

    All literals behind a secret name are masked up to the next separator at that level; in an
    assignment to it, up to the end of the statement. Other strings and comments are redacted as
    free text. So is what is not valid Python.
    """
    lines = source.splitlines()
    try:
        tokens = [*tokenize.generate_tokens(io.StringIO(source).readline)]
    except _FRAGMENT_ERRORS:
        return redact("\n".join(lines))
    # From the end, so that a replacement does not move earlier tokens.
    for token, text in reversed([*_replacements(tokens)]):
        _replace(lines, token, text)
    return "\n".join(lines)


def _replacements(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[tuple[tokenize.TokenInfo, str]]:
    statement: list[tokenize.TokenInfo] = []
    for token in tokens:
        statement.append(token)
        if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER) or token.string == ";":
            secret = _secret_literals(statement)
            for index, part in enumerate(statement):
                if (masked := _redacted_token(part, index in secret)) != part.string:
                    yield part, masked
            statement = []


def _secret_literals(statement: list[tokenize.TokenInfo]) -> set[int]:
    """Return the indices of the tokens that belong to a secret name."""
    names = [index for index, token in enumerate(statement) if _names_secret(token)]
    secret: set[int] = set()
    if not names:
        return secret
    depths = _depths(statement)
    for index, token in enumerate(statement):
        is_assignment = token.string.endswith("=") and token.string not in _COMPARISONS
        if is_assignment and depths[index] == 0 and index > names[0]:
            return {*range(index, len(statement))}
    for index in names:
        if index in secret and statement[index].type == tokenize.NAME:
            continue  # part of another name's value
        secret.update(range(index, _end_of_value(statement, depths, index)))
        if index > 1 and statement[index - 1].string in _COMPARISONS:
            secret.add(index - 2)
    return secret


def _depths(statement: list[tokenize.TokenInfo]) -> list[int]:
    """Return the bracket depth of each token."""
    depths, depth = [], 0
    for token in statement:
        depth -= token.string in _CLOSING
        depths.append(depth)
        depth += token.string in _OPENING
    return depths


def _end_of_value(statement: list[tokenize.TokenInfo], depths: list[int], start: int) -> int:
    """Return the index of the separator that ends the value behind the name at `start`."""
    # `("token", "value")`: the first comma does not end the value.
    commas = int(statement[start].type == tokenize.STRING and statement[start + 1].string == ",")
    for index in range(start + 1, len(statement)):
        text = statement[index].string
        if depths[index] < depths[start] and text in _CLOSING:
            return index
        if depths[index] == depths[start] and (
            text == "," or (text == ":" and index > start + 1 and depths[start] == 0)
        ):
            if not commas:
                return index
            commas -= 1
    return len(statement)


def _redacted_token(token: tokenize.TokenInfo, is_secret_value: bool) -> str:
    """Return the redacted text of a token."""
    if token.type == tokenize.COMMENT:
        return redact(token.string)
    if token.type == tokenize.NUMBER:
        return _MASKED if is_secret_value and len(token.string) >= 4 else token.string
    if token.type not in (tokenize.STRING, _MIDDLE) or _names_secret(token):
        return token.string
    if not is_secret_value:
        return _redacted(token.string)
    return _MASKED if token.type == tokenize.STRING else MASK


def _redacted(literal: str) -> str:
    """Return a literal with its content redacted as free text."""
    parts = _STRING.fullmatch(literal)
    assert parts
    return f"{parts['opening']}{redact(parts['text'])}{parts['closing']}"


def _names_secret(token: tokenize.TokenInfo) -> bool:
    if token.type not in (tokenize.NAME, tokenize.STRING):
        return False
    text = token.string.strip("\"'")
    return bool(_NAME.fullmatch(text)) and is_secret(text)


def _replace(lines: list[str], token: tokenize.TokenInfo, text: str) -> None:
    """Replace `token` with `text`; keep the number of lines so that line numbers stay correct."""
    (row, column), (end_row, end_column) = token.start, token.end
    before, after = lines[row - 1][:column], lines[end_row - 1][end_column:]
    if row == end_row:
        lines[row - 1] = before + text + after
    else:
        lines[row - 1 : end_row] = [before + text, *[""] * (end_row - row - 1), after]
