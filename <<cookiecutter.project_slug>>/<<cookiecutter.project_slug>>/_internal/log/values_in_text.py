"""Find where a value in free text ends: quoted, bare, or the rest of its line."""

import re
from bisect import bisect_left
from functools import cached_property

_OPENING = re.compile(r"""[bBrRuUfF]{0,2}(?P<quote>"{3}|'{3}|(?P<escapes>\\*+)(?P<mark>["']))""")
_QUOTES = {mark: re.compile(rf"(?<!\\)\\*+{mark}") for mark in "\"'"}
_SEPARATOR = re.compile(r"\s*+(?:[,;:)}\]\\]|\Z)")
# A mark that can begin a quotation, or only end one. The apostrophe of `it's` does neither.
_MARKS = {
    mark: re.compile(rf"(?P<begins>(?<![\w\\])[bBrRuUfF]{{0,2}}{mark})|(?<!\\)(?:\\\\)*+{mark}")
    for mark in "\"'"
}

_ESCAPED_LINE_BREAK = r"(?<!\\)\\++[rn](?:\\++n)?(?=[\w\-]++[:=]|\\|\Z)"
_LINE_BREAK = re.compile(rf"[\r\n]|{_ESCAPED_LINE_BREAK}")
# `Bearer abc`: the scheme is part of the value of an Authorization header (RFC 9110, 11.6.2).
_SCHEME = re.compile(r"(?:basic|bearer|negotiate|token|apikey)\s++", re.IGNORECASE)
_PIECE = re.compile(rf"[\s&]|[\[({{]|{_ESCAPED_LINE_BREAK}")
_CONTINUED = re.compile(r";\s++(?=[\w.\-]++=)")
_TRAILING = ",;:)}]\"'\\"
_NESTED = re.compile(
    r"""\\. | "(?:\\.|[^"\\])*+" | '(?:\\.|[^'\\])*+' | (?P<open>[\[({]) | (?P<close>[\])}])""",
    re.VERBOSE | re.DOTALL,
)


class Values:
    """The values in one text, found by their start."""

    def __init__(self, text: str) -> None:
        self.text = text

    def end_of_quoted(self, start: int) -> tuple[int, str] | None:
        """Return the end of a quoted value, before its closing mark, and its opening mark.

        Return None if no quotation begins at `start`. An unclosed one ends with the text.
        """
        text = self.text
        opening = _OPENING.match(text, start)
        if not opening:
            return None
        if not opening["mark"]:
            end = text.find(opening["quote"], opening.end())
            return (end if end >= 0 else len(text)), opening[0]
        escapes = len(opening["escapes"])
        for found in _QUOTES[opening["mark"]].finditer(text, opening.end()):
            if _closes(text, found, escapes):
                return max(found.end() - escapes - 1, found.start()), opening[0]
        return len(text), opening[0]

    def end_of_line(self, start: int) -> int:
        """Return the end of the line, or of the quotation around `start`."""
        limit = self._limit(start)
        found = _LINE_BREAK.search(self.text, start, limit)
        return found.start() if found else limit

    def end_of_bare(self, start: int) -> int:
        """Return the end of a bare value: a blank, `&`, or the end of the quotation around it.

        Brackets are included whole: `token=['a', 'b']`, `password=SecretStr('a')`.
        """
        text, limit = self.text, self._limit(start)
        scheme = _SCHEME.match(text, start, limit)
        closed, end = _end_of_piece(text, scheme.end() if scheme else start, limit)
        while more := _CONTINUED.match(text, max(end - 1, start), limit):  # `a=1; b=2`
            closed, end = _end_of_piece(text, more.end(), limit)
        return closed + len(text[closed:end].rstrip(_TRAILING))

    def _limit(self, position: int) -> int:
        """Return the end of the quotation around `position`, or of the text without a quotation."""
        limit = len(self.text)
        for quotations in self._quotations:
            index = bisect_left(quotations, (position,)) - 1
            if index >= 0 and position < quotations[index][1]:
                limit = min(limit, quotations[index][1])
        return limit

    @cached_property
    def _quotations(self) -> list[list[tuple[int, int]]]:
        return [_quotations(self.text, mark) for mark in _MARKS]


def _quotations(text: str, mark: str) -> list[tuple[int, int]]:
    """Return where each quotation in `mark` begins and ends."""
    found = []
    start = -1
    for match in _MARKS[mark].finditer(text):
        if start < 0:
            start = match.start() if match["begins"] else -1
        elif not _is_word(text, match.end()):
            found.append((start, match.end() - 1))
            start = -1
    return found


def _is_word(text: str, position: int) -> bool:
    character = text[position : position + 1]
    return character.isalnum() or character == "_"


def _closes(text: str, found: re.Match[str], escapes: int) -> bool:
    """Return whether a mark, with its backslashes, ends a quotation that began with `escapes`."""
    count = len(found[0]) - 1
    if count < escapes:
        return True  # the end of an enclosing quotation
    if count == escapes:
        return not _is_word(text, found.end())  # not the apostrophe of `it's`
    # Each level of quotation doubles a backslash: these can be the last ones of the value.
    return count % (2 * (escapes + 1)) == escapes and bool(_SEPARATOR.match(text, found.end()))


def _end_of_piece(text: str, start: int, limit: int) -> tuple[int, int]:
    """Return where the last bracket of a bare value closes, and where the value ends."""
    position = start
    while found := _PIECE.search(text, position, limit):
        if found[0] not in "[({":
            return position, found.start()
        position = _end_of_bracket(text, found.end(), limit)
    return position, limit


def _end_of_bracket(text: str, start: int, limit: int) -> int:
    """Return the position after the bracket that closes the one before `start`."""
    depth = 1
    for found in _NESTED.finditer(text, start, limit):
        depth += bool(found["open"]) - bool(found["close"])
        if depth == 0:
            return found.end()
    return limit
