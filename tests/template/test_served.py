"""Effects of the environment on the log of a service."""

from pathlib import Path

from tests.serving import check, serve


def test_development(installed: Path, tmp_path: Path) -> None:
    """Without a terminal, development writes the same lines as production."""
    check(serve(installed / ".venv/bin/python", "my_service", tmp_path, ENV="development"))


def test_settings_of_dotenv(installed: Path, tmp_path: Path) -> None:
    """The service reads `.env` in the working directory and ignores unknown names."""
    (tmp_path / ".env").write_text('UNKNOWN=1\nLOG_FIELDS={"service": "shop"}\n')
    served = serve(installed / ".venv/bin/python", "my_service", tmp_path)
    assert {line["service"] for line in served.lines} == {"shop"}
