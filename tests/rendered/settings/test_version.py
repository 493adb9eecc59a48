"""version.py: the version that reports and the API's documentation show."""

from pathlib import Path

import pytest

from my_service._internal import version
from my_service.main import app


def test_the_installed_version() -> None:
    """The API's documentation has the version in pyproject.toml."""
    assert app.version == version.service_version("my-service") == "0.1.0"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[project]\nname = "shop"\nversion = "1.2.3"', "1.2.3"),
        ('[project]\nname = "other"\nversion = "1.2.3"', ""),
        ('[project]\nname = "shop"', ""),
        ("[project", ""),
        (None, ""),
    ],
)
def test_the_version_of_an_image(
    text: str | None, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is not installed has the version of the pyproject.toml beside it."""
    path = tmp_path / "pyproject.toml"
    monkeypatch.setattr(version, "_PYPROJECT", path)
    if text is not None:
        path.write_text(text)
    assert version.service_version("shop") == found
