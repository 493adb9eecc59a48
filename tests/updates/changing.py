"""Exact changes of text files; they fail loudly where a text is gone."""

from pathlib import Path


def change(root: Path, path: str, old: str, new: str, times: int = 1) -> None:
    """Replace `old`, which must occur exactly `times` times."""
    file = root / path
    text = file.read_text("utf-8")
    assert text.count(old) == times, f"{path} has {text.count(old)} times:\n{old}"
    file.write_text(text.replace(old, new), "utf-8")


def before(root: Path, path: str, anchor: str, text: str) -> None:
    """Insert `text` in front of `anchor`, which must occur once."""
    change(root, path, anchor, text + anchor)


def after(root: Path, path: str, anchor: str, text: str) -> None:
    """Insert `text` behind `anchor`, which must occur once."""
    change(root, path, anchor, anchor + text)


def append(root: Path, path: str, text: str) -> None:
    """Add `text` to the end of a file."""
    file = root / path
    file.write_text(file.read_text("utf-8") + text, "utf-8")


def write(root: Path, path: str, text: str) -> None:
    """Write a new file."""
    file = root / path
    assert not file.exists(), path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def move(root: Path, old: str, new: str) -> None:
    """Rename a file or folder."""
    target = root / new
    target.parent.mkdir(parents=True, exist_ok=True)
    (root / old).rename(target)
