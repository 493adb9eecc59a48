"""Redact values behind secret names in text: `name=value`, `"name": "value"`, `--name value`."""

import re

from .secret_names import LABELS, MASK, QUOTING, is_secret
from .values_in_text import Values

_NAME = re.compile(
    r"""
    (?P<open>[(\[]\s*+[bBrRuU]?\\*["'])? (?<![\w.\-])
    (?P<name>[\w.\-]++) (?P<index>(?:\[[^\[\]\s]{0,64}\]){0,4}+)
    (?: (?P<comma>\\*["']\s*+,\s*+(?=[bBrRuU]{0,2}\\*["']))
      | \(\s*+(?=[bBrRuU]{0,2}\\*["'])
      | \\*["'`*]{0,2}\]?\s*+(?P<sign>=>|:=|!=|={1,3}|:)(?:\s|\+|%20)*+ )
    | (?<![\w.\-]) (?P<option>--[\w.\-]++)\s++(?=[^\s\-])
    """,
    re.VERBOSE,
)
_LABELLED = re.compile(
    r"""
    [bBrRuU]?\\*["']? (?P<name>[\w.\-]++) (?:\\*["'])? (?:[\s,;]|\\++[nrt])*+
    (?: \\*["']? [\w.\-]{1,64} \\*["']? \s? [:=] \s?  # what may stand between
        (?:"[^"\\]{0,200}"|'[^'\\]{0,200}'|[\w.\-]{1,200}) [\s,;]{1,4} ){0,3}
    \\*["']? value \\*["']?\s*+[:=]\s*+
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"(?:[abfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})(?=\w)")
# The first word of `private key: …`
_FIRST_WORD = re.compile(r"(?<![\w.\-])[\w.\-]+ \Z")
_END_OF_PAIR = re.compile(r"""\\*["']\s*+,?\s*+[)\]]""")
# With a colon it is a header: `Cookie: a=1; b=2`.
_COOKIES = ("cookie", "cookies")
_PLACE = re.compile(r"[(\[](?P<parts>[^()\[\]]{0,256})")
# A YAML block scalar.
_BLOCK = re.compile(r"[|>][+\-]?\d?[ \t]*+(?:\r?\n[ \t]++[^\r\n]*+)++")
_NOTHING = frozenset({"", "None", "none", "null", "True", "true", "False", "false", MASK})


def redact_named(text: str) -> str:
    """Redact every value behind a secret name."""
    parts = []
    values = Values(text)
    done = position = 0
    in_error = False  # in the validation error of a secret field
    while match := _NAME.search(text, position):
        position = match.end("name" if match["name"] else "option")
        if match["name"] in ("loc", "type"):
            in_error = match["name"] == "loc" and _leads_to_secret(match)
        quotes = in_error and match["name"] in QUOTING
        start = match.end() if quotes else _start_of_secret(values, match)
        if start < 0:
            continue
        end, masked = _redact_value(values, start, match)
        if text[end : end + 1] == ":" and is_secret(text[start:end]):
            continue  # `invalid token: access_token: …`: the value is itself a name
        parts += [text[done:start], masked]
        done = position = max(end, start)
    return "".join(parts) + text[done:] if parts else text


def _leads_to_secret(match: re.Match[str]) -> bool:
    """Return whether a pydantic `loc` contains a secret name: `'loc': ('body', 'password')`."""
    place = _PLACE.match(match.string, match.end())
    return place is not None and any(map(is_secret, place["parts"].split(",")))


def _start_of_secret(values: Values, match: re.Match[str]) -> int:
    """Return the start of the secret behind a name, or -1 if there is no secret."""
    name = match["name"] or match["option"]
    if name in LABELS and (labelled := _LABELLED.match(values.text, match.end())):
        return labelled.end() if is_secret(labelled["name"]) else -1
    if not is_secret(name) and not _is_secret_in_context(match):
        return -1
    if match["comma"] and not name.startswith("--") and not _is_pair(values, match):
        return -1
    return match.end()


def _is_secret_in_context(match: re.Match[str]) -> bool:
    """Return whether a name is secret with its index or previous word, or without its escape."""
    text, start, name = match.string, match.start("name"), match["name"] or ""
    if match["index"]:
        return is_secret(match["index"])
    if text[start - 1 : start] == "\\" and (escape := _ESCAPE.match(name)):
        return is_secret(name[escape.end() :])
    if name.lower() == "key" and (first := _FIRST_WORD.search(text, max(start - 20, 0), start)):
        return is_secret(f"{first[0].rstrip()}_key")
    return False


def _is_pair(values: Values, match: re.Match[str]) -> bool:
    """Return whether two quoted texts are a name and its value, not two names in a list."""
    if not match["open"]:
        return False
    before = values.text[max(match.start() - 1, 0) : match.start()]
    if match["open"][0] == "(" and (before.isalnum() or before == "_"):
        return True  # `getenv("TOKEN", "default")`
    end, _ = values.end_of_quoted(match.end()) or (len(values.text), "")
    return end == len(values.text) or bool(_END_OF_PAIR.match(values.text, end))


def _redact_value(values: Values, start: int, match: re.Match[str]) -> tuple[int, str]:
    """Return the end of the value that begins at `start`, and its replacement."""
    if quoted := values.end_of_quoted(start):
        end, opening = quoted
        return end, f"{opening}{MASK}"
    if block := _BLOCK.match(values.text, start):
        return block.end(), MASK
    name = (match["name"] or "").lower()
    if name.endswith("authorization") or (match["sign"] == ":" and name.endswith(_COOKIES)):
        end = values.end_of_line(start)
    else:
        end = values.end_of_bare(start)
    is_nothing = values.text[start:end] in _NOTHING
    return end, values.text[start:end] if is_nothing else MASK
