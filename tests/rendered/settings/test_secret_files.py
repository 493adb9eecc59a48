"""secret_files.py: which settings can come from files, and the lines about files."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AliasChoices, BaseModel, Field, PostgresDsn, Secret, SecretStr
from pydantic_settings import SettingsConfigDict, SettingsError

from checks.settings.conftest import CANARY, Message
from my_service._internal.settings import secret_files
from my_service._internal.settings.environment import EnvironmentSettings
from my_service.config import Settings
from tests.conftest import PROJECT, Log

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file and returns its path."""

    def write(content: str | bytes, name: str = "secret") -> str:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(tmp_path / name)

    return write


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory for `.env`."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


class Login(BaseModel):
    """A nested model with a secret."""

    user: str = ""
    password: str = ""


class Shop(EnvironmentSettings):
    """Settings that are secret by name or by type, and some that are not."""

    shop_token: str = "unset"
    pin: SecretStr = SecretStr("")
    database: Secret[PostgresDsn] | None = None
    renamed: Annotated[SecretStr, Field(validation_alias="SHOP_PIN")] = SecretStr("")
    either: Annotated[str, Field(validation_alias=AliasChoices("api_key", "apiToken"))] = ""
    login: Login = Login()
    many: list[SecretStr] = Field(default_factory=list)
    region: str = "here"


def plain(value: object) -> object:
    """Return the URL of a database as text: pydantic 2.10 compares no URLs."""
    return str(value.get_secret_value()) if type(value) is Secret else value


@pytest.mark.parametrize(
    ("variable", "content", "field", "value"),
    [
        ("SHOP_TOKEN_FILE", CANARY, "shop_token", CANARY),
        ("shop_token_file", CANARY, "shop_token", CANARY),
        ("SHOP_TOKEN_FILE", "a b\n", "shop_token", "a b"),
        ("SHOP_TOKEN_FILE", "a\n\n", "shop_token", "a\n"),
        ("SHOP_TOKEN_FILE", " a\r\n", "shop_token", " a"),
        ("SHOP_TOKEN_FILE", "é\nb", "shop_token", "é\nb"),
        ("SHOP_TOKEN_FILE", "", "shop_token", "unset"),
        ("SHOP_TOKEN_FILE", "\n", "shop_token", "unset"),
        ("SHOP_TOKEN_FILE", "x" * secret_files.SIZE_LIMIT, "shop_token", "x" * 2**20),
        ("PIN_FILE", CANARY, "pin", SecretStr(CANARY)),
        ("DATABASE_FILE", "postgres://u:p@h/d", "database", "postgres://u:p@h/d"),
        ("SHOP_PIN_FILE", CANARY, "renamed", SecretStr(CANARY)),
        ("API_KEY_FILE", CANARY, "either", CANARY),
        ("APITOKEN_FILE", CANARY, "either", CANARY),
        ("LOGIN_FILE", '{"password": "p"}\n', "login", Login(password="p")),
        ("MANY_FILE", '["p"]', "many", [SecretStr("p")]),
    ],
)  # fmt: skip
def test_a_secret_from_a_file(
    variable: str, content: str, field: str, value: object, write: Write,
    monkeypatch: pytest.MonkeyPatch, folder: Path, log: Log,
) -> None:  # fmt: skip
    """The setting is the file's text without one line ending, in the environment and in `.env`."""
    path = write(content)
    monkeypatch.setenv(variable, path)
    assert plain(getattr(Shop.load(), field)) == value
    monkeypatch.delenv(variable)
    (folder / ".env").write_text(f"{variable}={path}\n")
    assert plain(getattr(Shop(), field)) == value
    assert log() == []


class Account(BaseModel):
    """A model with a nested one."""

    login: Login = Login()


class Named(EnvironmentSettings):
    """Names with a prefix, a delimiter and a case."""

    model_config = SettingsConfigDict(
        env_prefix="App_", env_nested_delimiter="__", case_sensitive=True, populate_by_name=True
    )
    token: str = ""
    login: Login = Login()
    account: Account = Account()
    tokens: dict[str, SecretStr] = Field(default_factory=dict)
    pin: Annotated[SecretStr, Field(alias="Pin")] = SecretStr("")
    own: Annotated[str, Field(alias="App_token_FILE")] = ""


def test_names_of_file_variables(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is the variable's, with its prefix, its delimiter and its case."""
    for name in ("App_login__password", "App_account__login__password", "Pin"):
        monkeypatch.setenv(f"{name}_FILE", write(name, name))
    monkeypatch.setenv("App_tokens__a_FILE", "/etc/nowhere")
    monkeypatch.setenv("App_TOKEN_FILE", "/etc/nowhere")
    monkeypatch.setenv("App_login__colour_FILE", "/etc/nowhere")
    settings = Named.load()
    assert settings.login.password == "App_login__password"
    assert settings.account.login.password == "App_account__login__password"
    assert settings.tokens["a_FILE"].get_secret_value() == "/etc/nowhere"
    assert settings.pin.get_secret_value() == "Pin"


def test_a_setting_named_like_a_file_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that a setting of its own reads is not the path of another's file."""
    monkeypatch.setenv("App_token_FILE", "/etc/nowhere")
    assert (Named.load().own, Named.load().token) == ("/etc/nowhere", "")


def test_the_environment_beats_env(
    write: Write, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A value or a file in the environment replaces those of `.env`, whose files are not read."""
    (folder / ".env").write_text("SHOP_TOKEN=low\nPIN_FILE=/nowhere\n")
    monkeypatch.setenv("SHOP_TOKEN_FILE", write("high"))
    monkeypatch.setenv("PIN", "high")
    settings = Shop.load()
    assert (settings.shop_token, settings.pin.get_secret_value()) == ("high", "high")
    monkeypatch.setenv("SHOP_TOKEN_FILE", write("\n"))
    assert Shop.load().shop_token == "low"


@pytest.mark.parametrize("place", ["the environment", ".env"])
def test_both_in_one_source(
    place: str, write: Write, message: Message, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A name and its file in one source are an error, which an empty variable is not."""
    both = {"SHOP_TOKEN": CANARY, "SHOP_TOKEN_FILE": write(CANARY)}
    expected = f"SHOP_TOKEN and SHOP_TOKEN_FILE are both set in {place}; set one"
    if place == ".env":
        (folder / ".env").write_text("".join(f"{name}={both[name]}\n" for name in both))
        assert message(Shop) == expected
    else:
        assert message(Shop, **both) == expected
        monkeypatch.setenv("SHOP_TOKEN", "")
        assert Shop.load().shop_token == CANARY
        monkeypatch.setenv("SHOP_TOKEN", "a")
        monkeypatch.setenv("SHOP_TOKEN_FILE", "")
        assert Shop.load().shop_token == "a"


def unreadable(path: Path) -> str:
    """Return the path of a loop of links, which root cannot read either."""
    path.symlink_to(path)
    return str(path)


def pipe(path: Path) -> str:
    """Return the path of a pipe that nothing writes to."""
    os.mkfifo(path)
    return str(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (str, "the file cannot be read: No such file or directory"),
        (unreadable, "the file cannot be read: Too many levels of symbolic links"),
        (lambda path: f"{path}/{'x' * 300}", "the file cannot be read: "),
        (lambda path: str(path.parent), "it must be the path of a regular file"),
        (lambda _: "/dev/zero", "it must be the path of a regular file"),
        (pipe, "it must be the path of a regular file"),
        (lambda path: path.write_bytes(b"\xff" * 9) and str(path), "the file must be text in UTF-8"),
        (lambda path: path.write_bytes(b"a\0") and str(path), "the file must be text in UTF-8"),
        (lambda path: path.write_bytes(b"a" * (2**20 + 1)) and str(path), "the file must have at"),
        (lambda path: path.write_bytes(b"\xff" * 2**21) and str(path), "the file must have at"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(
    make: Callable[[Path], str], reason: str, message: Message, tmp_path: Path
) -> None:
    """One line names the variable, the path and the reason, and never the content."""
    path = make(tmp_path / "secret")
    text = message(Shop, SHOP_TOKEN_FILE=path)
    shown = repr(path) if len(path) < 200 else f"{repr(path)[:200]}…"
    assert text.startswith(f"SHOP_TOKEN_FILE is {shown}; {reason}")


def test_a_null_character_in_a_path(message: Message, folder: Path) -> None:
    """A path that cannot be one is an error like the others."""
    (folder / ".env").write_bytes(b"PIN_FILE=/a\0b\n")
    assert message(Shop) == "PIN_FILE is ***; it must be the path of a regular file"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (CANARY, "***"),
        (f"{CANARY}/x", "***"),
        (f"/{CANARY}", "***"),
        ("./x", "'./x'"),
        ("../x", "'../x'"),
    ],
)
def test_a_secret_in_place_of_a_path(path: str, shown: str, message: Message) -> None:
    """What can be the secret itself is masked."""
    text = message(Shop, SHOP_TOKEN_FILE=path)
    assert text.startswith(f"SHOP_TOKEN_FILE is {shown}; the file cannot be read")


class Required(EnvironmentSettings):
    """Settings without defaults."""

    shop_token: Annotated[str, Field(min_length=99)]
    plain: str
    port: int = 1


def test_all_problems_are_one_line(message: Message) -> None:
    """Problems with files and others are reported together, and none is repeated as missing."""
    assert message(
        Required, SHOP_TOKEN_FILE="/etc/nowhere", PLAIN_FILE="/etc/nowhere", PORT="x"
    ) == (
        "SHOP_TOKEN_FILE is '/etc/nowhere'; the file cannot be read: No such file or directory."
        " PLAIN is missing; PLAIN_FILE is not read: PLAIN is not secret by its name, nor of a type"
        " such as SecretStr. PORT is 'x'; it must be a valid integer, unable to parse string as an"
        " integer"
    )


def test_a_required_secret_in_an_empty_file(
    message: Message, write: Write, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """The line names the file; a value in `.env` is enough."""
    path = write("\n")
    text = message(Required, SHOP_TOKEN_FILE=path, PLAIN="x")
    assert text == f"SHOP_TOKEN is missing; SHOP_TOKEN_FILE is '{path}', an empty file"
    (folder / ".env").write_text(f"SHOP_TOKEN={'x' * 99}\nPLAIN=y\n")
    monkeypatch.setenv("PLAIN", "")
    monkeypatch.setenv("PLAIN_FILE", "/etc/nowhere")
    assert Required.load().plain == "y"


class Closed(Shop):
    """Settings that refuse unknown names in `.env`."""

    model_config = SettingsConfigDict(extra="forbid")


def test_unknown_names_are_forbidden(
    write: Write, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """The variable of a file is a known name."""
    (folder / ".env").write_text(f"SHOP_TOKEN_FILE={write(CANARY)}\nPIN_FILE=/nowhere\n")
    monkeypatch.setenv("PIN", "a")
    assert Closed.load().shop_token == CANARY


def test_a_bad_value_in_a_file(message: Message, write: Write) -> None:
    """The value is masked as any other."""
    text = message(Required, SHOP_TOKEN_FILE=write(CANARY), PLAIN="x")
    assert text == "SHOP_TOKEN is ***; it must have at least 99 characters"


def test_other_settings_do_not_come_from_files(
    write: Write, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a setting that is not secret is not read, and one WARNING says so."""
    monkeypatch.setenv("REGION_FILE", write("there"))
    monkeypatch.setenv("UNKNOWN_TOKEN_FILE", "/etc/nowhere")
    assert Shop.load().region == "here"
    [line] = log()
    assert (line["level"], line["message"]) == (
        "WARNING",
        "REGION_FILE is not read: REGION is not secret by its name, nor of a type such as SecretStr",
    )
    monkeypatch.setenv("REGION", "x")
    assert Shop.load().region == "x"
    assert log() == []


def test_without_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that are made directly raise pydantic's error for settings."""
    monkeypatch.setenv("SHOP_TOKEN_FILE", "/etc/nowhere")
    with pytest.raises(SettingsError, match="SHOP_TOKEN_FILE is '/etc/nowhere'"):
        Shop()


class Kept(EnvironmentSettings):
    """Settings for which an empty variable is a value."""

    model_config = SettingsConfigDict(env_ignore_empty=False)
    token: str = "unset"


def test_an_empty_file_where_empty_variables_count(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty file is then a value too; an empty path is not a file."""
    monkeypatch.setenv("TOKEN_FILE", "")
    assert Kept.load().token == "unset"
    monkeypatch.setenv("TOKEN_FILE", write("\n"))
    assert Kept.load().token == ""


def test_the_example_in_the_documentation(
    write: Write, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    """The class in docs/variables.md reads what the page says, and reports what it refuses."""
    page = (PROJECT / "docs/variables.md").read_text("utf-8")
    code = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    names: dict[str, type[EnvironmentSettings]] = {}
    exec(f"import my_service.config\n__package__ = 'my_service'\n{code}", names)
    settings = names["Settings"]
    for name, value in {
        "SHOP_TOKEN_FILE": write(f"{CANARY}\n"),
        "SHOP_DATABASE_FILE": write("postgresql://me:pw@db/shop", "dsn"),
        "SHOP_REGIONS": '["north", "south"]',
        "SHOP_MAIL": '{"host": "mail", "port": 587}',
    }.items():
        monkeypatch.setenv(name, value)
    found = settings.load().model_dump()
    assert found["shop_token"] == SecretStr(CANARY)
    assert found["shop_database"].get_secret_value().hosts()[0]["password"] == "pw"
    assert found["shop_regions"] == ("north", "south")
    assert found["shop_mail"] == {"host": "mail", "port": 587}
    text = message(settings, SHOP_LIMIT="0", SHOP_MAIL='{"port": "x"}')
    assert text.startswith("SHOP_LIMIT is '0'; it must be ")
    assert "SHOP_MAIL.port is 'x'; it must be a valid integer" in text


@pytest.mark.parametrize("name", ["ENV_FILE", "HOST_FILE", "PORT_FILE"])
def test_common_names(name: str, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that other tools use for other things give no warning."""
    monkeypatch.setenv(name, "/etc/nowhere")
    Settings.load()
    assert log() == []
