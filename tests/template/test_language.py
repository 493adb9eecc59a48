"""The language of the repository."""

import re

import pytest

from tests.renders import TEMPLATE, git

# Words to avoid, and their replacements. Python's `is None` does not match `is none`.
REPLACEMENTS = {
    r"whoever|whomever": "the noun, or `if`",
    r"nobody|everybody|somebody": "the noun",
    r"tells of": "`reports` or `shows`",
    r"(?-i:is none)": "`is not a …`, `does not exist` or `without`",
    r"shall": "the present tense, or `must`",
    r"belongs into": "`belongs in`",
    r"for ever": "`forever`",
    r"put right": "`fixed` or `corrected`",
    r"tell whether": "`return whether`",
}

NOT_OURS = ("LICENSE", ".lock", ".png", "tests/template/test_language.py")


@pytest.mark.parametrize(("words", "instead"), REPLACEMENTS.items(), ids=REPLACEMENTS)
def test_plain_technical_english(words: str, instead: str) -> None:
    """The repository speaks plain technical English."""
    pattern = re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    found = []
    for path in git(TEMPLATE, "ls-files").splitlines():
        if path.endswith(NOT_OURS) or not (TEMPLATE / path).is_file():
            continue
        text = (TEMPLATE / path).read_text("utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path}:{number}: {line.strip()}")
    assert found == [], "\n".join([f"instead of `{words}` write {instead}:", *found])
