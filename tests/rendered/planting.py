"""A generator of secrets: every secret name x every container x every kind of value."""

import json
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import make_dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import create_model

NAMES = [
    "password", "db_password", "PASSWORD_HASH", "passwd", "pwd", "client_secret", "clientSecret",
    "token", "apiToken", "X-Auth-Token", "authorization", "Proxy-Authorization", "cookie",
    "Set-Cookie", "SENTRY_DSN", "aws_credentials", "private_key", "X-Api-Key", "apikey",
    "AWS_ACCESS_KEY", "secretKey", "token_2", "PGPASSWORD", "csrftoken", "apitoken", "cookies",
    "passphrase",
]  # fmt: skip

# The string to search for, after characters at which a careless pattern ends a value.
CANARY = "canary"
VALUES = {
    "plain": "canary",
    "apostrophe": "it's-canary",
    "quote": 'a"canary',
    "brackets": "a(b)canary",
    "braces": "{canary",
    "comma": "a,canary",
    "semicolon": "a;canary",
    "sign": "a=canary",
    "colon": "a:canary",
    "symbols": "p$x!%:/?#@canary",
    "digits": "12345canary",
    "script": "пароль-canary",
    "long": "canary" * 1000,
}
# These would end an unquoted value in a text.
QUOTED_VALUES = VALUES | {
    "blank": "correct horse canary",
    "lines": "one\ncanary\r\ntwo",
    "ampersand": "a&canary",
    "backslash": "a\\n canary\\",
    "escaped": 'a\\"canary',
}

Held = Callable[[str, str], object]


def identifier(name: str) -> str:
    """Return the name as a Python identifier."""
    return name.replace("-", "_")


class Slots:
    """An object without a `__dict__`."""

    __slots__ = ("password", "user")

    def __init__(self, password: str) -> None:
        self.user, self.password = "ann", password

    def __repr__(self) -> str:
        return f"<Slots {self.password!r}>"


class Telling:
    """An object whose text shows its attributes and those of nested objects."""

    def __init__(self, **members: object) -> None:
        vars(self).update(members)

    def __repr__(self) -> str:
        return f"<Telling {vars(self)}>"


def _validation_error(name: str, value: str) -> Exception:
    model: Any = create_model("Data", **fields_of(name, int))
    try:
        model(**{identifier(name): value})
    except ValueError as error:
        return error
    raise AssertionError


def _model(name: str, value: str) -> object:
    model: Any = create_model("Data", **fields_of(name, str))
    return model(**{identifier(name): value})


def fields_of(name: str, kind: type) -> Any:
    """Return the fields of a model with one field."""
    return {identifier(name): (kind, ...)}


def _errors(name: str, value: str) -> object:
    error: Any = _validation_error(name, value)
    return error.errors()


OBJECTS: dict[str, Held] = {
    "mapping": lambda name, value: {name: value, "user": "ann"},
    "nested": lambda name, value: {"a": [{"b": ({name: [value]},)}]},
    "bytes": lambda name, value: {name.encode(): value.encode()},
    "pair": lambda name, value: [(name, value)],
    "raw_headers": lambda name, value: [[name.encode(), value.encode()]],
    "data_class": lambda name, value: make_dataclass("Data", [identifier(name)])(value),
    "named_tuple": lambda name, value: namedtuple("Data", [identifier(name)])(value),
    "model": _model,
    "slots": lambda _, value: Slots(value),
    "telling": lambda name, value: Telling(**{identifier(name): value}),
    "inner": lambda name, value: Telling(inner=Telling(**{identifier(name): value})),
    "name_and_value": lambda name, value: [{"name": name, "value": value}],
    "validation_error": _validation_error,
    "validation_errors": _errors,
}

Text = Callable[[str, str], str]

# Texts that quote the value as the notation requires.
QUOTED: dict[str, Text] = {
    "json": lambda name, value: json.dumps({"a": 1, name: value, "b": 2}),
    "compact_json": lambda name, value: json.dumps({name: value, "b": 2}, separators=(",", ":")),
    "json_in_json": lambda name, value: json.dumps({"a": json.dumps({name: value, "b": 2})}),
    "json_in_repr": lambda name, value: repr([json.dumps({name: value, "b": 2})]),
    "repr": lambda name, value: repr({name: value, "b": 2}),
    "repr_of_bytes": lambda name, value: repr({name.encode(): value.encode()}),
    "pairs": lambda name, value: repr([(name, value), ("b", "2")]),
    "list_pairs": lambda name, value: json.dumps([[name, value], ["b", "2"]]),
    "call": lambda name, value: f"{identifier(name)}({value!r})",
    "default": lambda name, value: f"getenv({name!r}, {value!r})",
    "name_and_value": lambda name, value: json.dumps([{"name": name, "value": value}]),
    "argument_list": lambda name, value: repr(["run", f"--{name}", value, "-v"]),
}

# Texts that contain the value unquoted.
BARE: dict[str, Text] = {
    "assigned": lambda name, value: f"connect {name}={value} n=1",
    "header": lambda name, value: f"the {name}: {value}\nhost: b",
    "option": lambda name, value: f"run --{name} {value}",
    "bearer": lambda name, value: f"{name}: Bearer {value}",
    "index": lambda name, value: f"{name}[$ne]={value}",
    "list_index": lambda name, value: f"{name}[]={value}",
    "carelessly_quoted": lambda name, value: f"'{name}': '{value}', 'b': 2",
    "raw_request": lambda name, value: repr(f"GET / HTTP/1.1\r\n{name}: {value}\r\nhost: b"),
    "escaped_lines": lambda name, value: json.dumps(f"host: db\n{name}: {value}"),
    "query": lambda name, value: f"GET /path?a=1&{name}={quote_plus(value)}&b=2",
    "encoded_twice": lambda name, value: f"/?next={quote(f'/?{name}={quote(value)}', safe='')}",
    "url": lambda _, value: f"postgres://svc:{quote(value, safe='')}@host:5432/db",
    "label": lambda name, value: f"- name: {name}\n  value: {value}",
}


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text, with a label of its parts."""
    for name in NAMES:
        for notation, write in QUOTED.items():
            for kind, value in QUOTED_VALUES.items():
                yield f"{name}-{notation}-{kind}", write(name, value)
        for notation, write in BARE.items():
            for kind, value in VALUES.items():
                yield f"{name}-{notation}-{kind}", write(name, value)


def objects(names: list[str] = NAMES) -> Iterator[tuple[str, object]]:
    """Yield every object, with a label of its parts."""
    for name in names:
        for container, hold in OBJECTS.items():
            for kind, value in QUOTED_VALUES.items():
                yield f"{name}-{container}-{kind}", hold(name, value)
