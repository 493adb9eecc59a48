"""environment.py and errors.py: settings that users declare, and their errors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    Field,
    PostgresDsn,
    Secret,
    SecretBytes,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from typing_extensions import TypedDict

from checks.served import PLAIN, serve
from checks.settings.conftest import CANARY, Message
from my_service._internal.settings.environment import EnvironmentSettings


class Part(BaseModel):
    """A setting with several values."""

    port: Annotated[int, Field(description="a port")] = 80
    size: int = 1


class Ours(EnvironmentSettings):
    """Fields of every kind that users declare."""

    tags: list[str] = Field(default_factory=list)
    level: Annotated[int, Field(validation_alias="APP_LEVEL", description="a level")] = 1
    either: Annotated[int, Field(validation_alias=AliasChoices("first", "second"))] = 1
    deep: Annotated[int, Field(validation_alias=AliasPath("paths", "deep"))] = 1
    part: Part = Part()
    parts: dict[str, list[Part]] = Field(default_factory=dict)
    database: PostgresDsn | None = None
    plain: int = 1
    sizes: list[int] = Field(default_factory=list)
    pair: tuple[int, str] = (1, "")
    numbers: dict[str, int] = Field(default_factory=dict)
    either_type: int | float = 1
    flag: bool = False
    code: Annotated[str, Field(pattern="^a+$")] = "a"
    even: int = 2

    @field_validator("even")
    @classmethod
    def check(cls, even: int) -> int:
        if even % 2:
            raise ValueError
        return even


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("TAGS", "a,b", 'TAGS is \'a,b\'; it must be a valid list in JSON, such as ["a", "b"]'),
        ("TAGS", "[1]", "TAGS contains 1; it must be a valid string"),
        ("APP_LEVEL", "x", "APP_LEVEL is 'x'; it must be a level"),
        ("FIRST", "x", "FIRST or SECOND is 'x'; it must be a valid integer"),
        ("SECOND", "x", "FIRST or SECOND is 'x'; it must be a valid integer"),
        ("PATHS", '{"deep": "x"}', "PATHS is 'x'; it must be a valid integer, unable to parse"),
        ("PART", "x", "PART is 'x'; it must be a valid object in JSON, such as {\"port\": …}"),
        ("PART", '{"port": "x"}', "PART.port is 'x'; it must be a port"),
        ("PARTS", '{"a": [{"port": "x"}]}', "PARTS.port contains 'x'; it must be a port"),
        ("DATABASE", "x", "DATABASE is 'x'; it must be a valid URL"),
        ("DATABASE", f"postgresql://me:{CANARY}@[", "DATABASE is 'postgresql://me:***@['; it must"),
        ("PLAIN", "x" * 999, f"PLAIN is '{'x' * 199}…; it must be a valid integer"),
        ("SIZES", "1,2", "SIZES is '1,2'; it must be a valid list in JSON, such as [1, 2]"),
        ("PAIR", "[1]", "PAIR has too few values"),
        ("NUMBERS", '{"a": "x"}', "NUMBERS contains 'x'; it must be a valid integer"),
        ("NUMBERS", "a=1", "NUMBERS is 'a=1'; it must be a valid object in JSON, such as {\"na"),
        ("EITHER_TYPE", "x", "EITHER_TYPE is 'x'; it must be a valid integer, unable to parse"),
        ("FLAG", "on!", "FLAG is 'on!'; it must be a valid boolean, such as true or false"),
        ("CODE", "x", "CODE is 'x'; it must match pattern '^a+$'"),
        ("EVEN", "1", "EVEN is '1'; it is not valid (value_error)"),
        ("SIZES", '["a", "a"]', "SIZES contains 'a'; it must be a valid integer, unable to parse"),
    ],
)
def test_fields_of_users(name: str, value: str, expected: str, message: Message) -> None:
    """A sentence names the variable and its value, and says what pydantic expects."""
    text = message(Ours, **{name: value})
    assert text.startswith(expected)
    assert text.count(f"{expected.split()[0]} ") == 1
    assert ". " not in text


def test_all_errors_are_one_line(message: Message) -> None:
    """No kind of error hides another."""
    text = message(Ours, TAGS="a", PART="{", PLAIN="y", APP_LEVEL="z")
    for name in ("TAGS", "PART", "PLAIN", "APP_LEVEL"):
        assert f"{name} is " in text


class Prefixed(EnvironmentSettings):
    """Variable names that the configuration of a class determines."""

    model_config = SettingsConfigDict(
        env_prefix="App_", env_nested_delimiter="__", case_sensitive=True
    )
    plain: int = 1
    part: Part = Part()
    aliased: Annotated[int, Field(alias="Aliased")] = 1


def test_errors_name_the_variables_to_set(message: Message) -> None:
    """Names have the prefix, the delimiter and the case that the user has to set."""
    variables = {"App_plain": "x", "App_part__size": "y", "Aliased": "z"}
    text = message(Prefixed, **variables)
    for name, value in variables.items():
        assert f"{name} is '{value}'; it must be a valid integer" in text


class Required(EnvironmentSettings):
    """Settings without defaults."""

    model_config = SettingsConfigDict(extra="forbid")
    database_url: str
    region: Annotated[str, Field(description="a region")]
    part: Part = Part()
    api_token: str = ""

    @model_validator(mode="after")
    def check(self) -> Self:
        if self.region == "nowhere":
            raise ValueError(f"no {self.region} with {self.api_token}: {self.part.port}")
        return self


def test_a_missing_setting(message: Message) -> None:
    """A missing setting is reported without pydantic's input, which is all other values."""
    text = message(Required, API_TOKEN=CANARY)
    assert text == "DATABASE_URL is missing. REGION is missing; it must be a region"


def test_a_model_validator(message: Message) -> None:
    """The validator's message is the sentence, without the secrets in its input."""
    variables = {"DATABASE_URL": "x", "REGION": "nowhere", "API_TOKEN": CANARY}
    assert message(Required, **variables, PART='{"port": 7}') == "no nowhere with ***: 7"


def test_a_model_validator_before_field_validation(message: Message) -> None:
    """The validator's input can be anything, and its secrets are masked."""

    class Odd(EnvironmentSettings):
        keys: list[str] = Field(validation_alias="api_key", default_factory=list)

        @model_validator(mode="wrap")
        @classmethod
        def check(cls, values: Any, handler: Any) -> Any:
            raise AssertionError(f"not {values}")

    assert message(Odd, API_KEY=f'["{CANARY}", {{"a": ""}}, ["{CANARY}"]]').startswith("not {")


def test_an_unknown_name(message: Message, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that forbids unknown names reports them."""
    (tmp_path / ".env").write_text(f"DATABASE_URL=x\nREGION=y\nODD=1\nODD_TOKEN={CANARY}\n")
    monkeypatch.chdir(tmp_path)
    text = message(Required)
    assert "ODD is '1'; Extra inputs are not permitted" in text
    assert "ODD_TOKEN is ***; it is not valid (extra_forbidden)" in text


class Login(BaseModel):
    """A secret by name, a secret by type, and a nested login."""

    user: str
    password: str
    pin: SecretStr | None = None
    next: "Login | None" = None


@dataclass
class Account:
    """A dataclass with a secret."""

    name: int
    pin: SecretBytes


class LogEntry(TypedDict):
    """A dictionary with a secret."""

    name: int
    pin: Secret[str]


class Secrets(EnvironmentSettings):
    """Secrets in every type that can contain them."""

    pin: SecretStr = SecretStr("")
    maybe: Annotated[SecretBytes | None, Field(min_length=99, description="99 bytes")] = None
    many: list[Annotated[SecretStr, Field(min_length=99)]] = Field(default_factory=list)
    odd: Secret[int] = Secret(1)
    store: Secret[PostgresDsn] | None = None
    login: Login | None = None
    logins: list[Login] = Field(default_factory=list)
    account: Account | None = None
    entry: LogEntry | None = None
    api_token: int = 1

    @field_validator("pin")
    @classmethod
    def refuse(cls, pin: SecretStr, info: ValidationInfo) -> SecretStr:
        if pin:
            raise ValueError(f"{pin.get_secret_value()} is too easy for {info.field_name}")
        return pin


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PIN", CANARY, "PIN is ***; it is not valid (value_error)"),
        ("MAYBE", CANARY, "MAYBE is ***; it must be 99 bytes"),
        ("MANY", CANARY, "MANY is ***; it must be a valid list in JSON"),
        ("MANY", f'["{CANARY}"]', "MANY contains ***; it must have at least 99 items"),
        ("MANY", '["99"]', "MANY contains ***; it is not valid (too_short)"),
        ("ODD", CANARY, "ODD is ***; it must be a valid integer"),
        ("STORE", f"{CANARY}:", "STORE is ***; it must have the scheme 'postgres', "),
        ("STORE", CANARY, "STORE is ***; it must be a valid URL"),
        ("LOGIN", CANARY, 'LOGIN is ***; it must be a valid object in JSON, such as {"user": …}'),
        ("LOGIN", f'{{"password": "{CANARY}"}}', "LOGIN.user is missing"),
        (
            "LOGIN",
            f'{{"user": "u", "password": ["{CANARY}"]}}',
            "LOGIN.password is ***; it must be a valid string",
        ),
        ("LOGIN", f'{{"user": {{"password": "{CANARY}"}}}}', "LOGIN.user is {'password': "),
        ("LOGIN", f'{{"user": "u", "password": "p", "next": ["{CANARY}"]}}', "LOGIN.next is ***"),
        ("LOGINS", f'["{CANARY}"]', "LOGINS contains ***; it must be a valid object in JSON"),
        (
            "ACCOUNT",
            f'{{"name": "{CANARY}", "pin": ""}}',
            "ACCOUNT contains ***; it must be a valid integer",
        ),
        (
            "ENTRY",
            f'{{"name": "{CANARY}", "pin": ""}}',
            "ENTRY contains ***; it must be a valid integer",
        ),
        ("API_TOKEN", CANARY, "API_TOKEN is ***; it must be a valid integer"),
    ],
)
def test_secrets_are_not_shown(name: str, value: str, expected: str, message: Message) -> None:
    """Secrets, by name or by type, appear neither as values nor in messages of validators."""
    assert message(Secrets, **{name: value}).startswith(expected)


def test_custom_sources(message: Message) -> None:
    """An error of a custom source is one line."""

    class Own(EnvironmentSettings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: Any, **named: Any
        ) -> Any:
            raise SettingsError("the vault is closed")

    assert message(Own) == "the vault is closed"


def test_other_sources() -> None:
    """A source that is not made of variables is left as it is."""

    class Own(EnvironmentSettings):
        plain: int = 1

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: Any, **named: Any
        ) -> Any:
            named["dotenv_settings"] = InitSettingsSource(settings_cls, {"plain": 2})
            return super().settings_customise_sources(settings_cls, *sources, **named)

    assert Own.load().plain == 2


def test_an_error_before_the_log_begins(tmp_path: Path) -> None:
    """The log begins with the line of the error."""
    with serve(tmp_path, "-c", "import my_service.config", PORT="x") as service:
        assert service.wait() == 1
        [line] = service.lines
        assert line["message"].startswith("invalid settings: PORT is 'x'")


def test_a_line_of_env_that_cannot_be_parsed(tmp_path: Path) -> None:
    """python-dotenv's warning is one line, however many classes read the file."""
    (tmp_path / ".env").write_text("LOG_LEVEL=INFO\nnot a variable\n")
    with serve(tmp_path, *PLAIN) as service:
        service.wait_for("started")
        assert service.stop() == 0
        [line] = [line for line in service.lines if "dotenv" in line["message"]]
        assert line["level"] == "WARNING"
        assert "line 2" in line["message"]


def test_a_warning_before_settings_are_loaded(tmp_path: Path) -> None:
    """pydantic's warning while the settings class is created is one line."""
    code = """
import warnings, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "my_service.config":
            warnings.warn("a name of pydantic's")
sys.meta_path.insert(0, Finder())
import my_service.main
"""
    with serve(tmp_path, "-c", code) as service:
        assert service.wait() == 0
        [line] = service.lines
        assert line["message"] == "UserWarning: a name of pydantic's"


def test_an_error_of_the_system_in_a_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for one of `.env`."""

    class WithFile(EnvironmentSettings):
        certificate: str = ""

        @field_validator("certificate")
        @classmethod
        def _is_readable(cls, path: str) -> str:
            Path(path).read_text()
            return path

    monkeypatch.setenv("CERTIFICATE", "/etc/nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        WithFile.load()
