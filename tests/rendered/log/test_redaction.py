"""redaction.py: secrets in free text are masked."""

import pytest

from my_service._internal.log import secret_names, texts
from my_service._internal.log.redaction import redact
from my_service._internal.log.scrubbing import scrub


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("token=['a', 'b'], n=1", "token=***, n=1"),
        ("password=it'shunter2 n", "password=*** n"),
        ("password=a(b)hunter2", "password=***"),
        ('token=a"hunter2', "token=***"),
        ("password[$ne]=x y", "password[$ne]=*** y"),
        ("token[]=x", "token[]=***"),
        (
            "b'GET /\\r\\nauthorization: Bearer x\\r\\nhost: b' n",
            "b'GET /\\r\\nauthorization: ***\\r\\nhost: b' n",
        ),
        ('"host: db\\npassword: x"', '"host: db\\npassword: ***"'),
        ("access_token: Bearer x y", "access_token: *** y"),
        (
            "[[b'authorization', b'x y'], [b'n', b'1']]",
            "[[b'authorization', b'***'], [b'n', b'1']]",
        ),
        ("[x, 'token', 'a'], 'n'", "[x, 'token', 'a'], 'n'"),
        ("--password x -v", "--password *** -v"),
        ('{"name": "DB_PASSWORD", "value": "x y"}', '{"name": "DB_PASSWORD", "value": "***"}'),
        ('set_password("x y")', 'set_password("***")'),
        ('{"log":"password=abc","n":1}', '{"log":"password=***","n":1}'),
        ("curl -H 'Authorization: Bearer x' https://h", "curl -H 'Authorization: ***' https://h"),
        ("cookie=a=1; b=2 n", "cookie=*** n"),
        ("postgres://svc:hun/ter2@host/db", "postgres://svc:***@host/db"),
        ("postgres://svc:hunter2", "postgres://svc:***"),
        ("x -----BEGIN RSA PRIVATE KEY-----\nabc", "x ***"),
        (
            "1 error\nname\n  Bad [type=a, input_value='x', input_type=str]",
            "1 error\nname\n  Bad [type=a, input_value='x', input_type=str]",
        ),
        (
            "1 error\na.password\n  Bad 'x' [type=a, input_value='x', input_type=str]",
            "1 error\na.password\n  *** [type=a, input_value=***]",
        ),
        ("password=SecretStr('a'), n=1", "password=***, n=1"),
        ("secret={'a': ('b'", "secret=***"),
        ('{\\"password\\": \\"a b\\", \\"n\\": 1}', '{\\"password\\": \\"***\\", \\"n\\": 1}'),
        ("password='''a\nb''' n", "password='''***''' n"),
        ('password = "not closed', 'password = "***'),
        ("Cookie: a=1; b=2\nHost: c", "Cookie: ***\nHost: c"),
        ("token=", "token="),
        ("token: null, password=None", "token: null, password=None"),
        (
            "[{'loc': ('password',), 'msg': 'bad S', 'input': 'S'}, {'loc': ('n',), 'input': 5}]",
            "[{'loc': ('password',), 'msg': '***', 'input': '***'}, {'loc': ('n',), 'input': 5}]",
        ),
        (
            "{'name': 'DB_PASSWORD', 'type': 'x', 'value': 'S'}",
            "{'name': 'DB_PASSWORD', 'type': 'x', 'value': '***'}",
        ),
        ("Key (id, token)=(1, S) already exists.", "Key (id, token)=(***) already exists."),
        ("Key (id)=(1) already exists.", "Key (id)=(1) already exists."),
        ("Invalid token: access_token: S", "Invalid token: access_token: ***"),
        ("\x1b[36mpassword\x1b[0m=\x1b[35mS\x1b[0m x", "password=*** x"),
        ("\x1b[36mname\x1b[0m=x", "\x1b[36mname\x1b[0m=x"),
        ("password: |\n  S\n  T\nhost: b", "password: ***\nhost: b"),
        ("netloc='u:S@h', x=1", "netloc='u:***@h', x=1"),
        ("**password**: S", "**password**: ***"),
        ("('token', 'a b'), ('n', 1)", "('token', '***'), ('n', 1)"),
        ("api key: a", "api key: ***"),
        ("https://a:b@c/?u=https://d:e@f", "https://a:***@c/?u=https://d:***@f"),
        ("amqp://a:b@c and d@e", "amqp://a:***@c and d@e"),
        ("x=%2570assword%253Da", "x=password=***"),
    ],
)
def test_free_text(text: str, masked: str) -> None:
    """A value is masked to its end in every notation."""
    assert redact(text) == masked


def test_short_secrets_are_not_searched_for() -> None:
    """A secret of three characters is not masked: it is a part of too many words."""
    assert scrub("a cat and a category", {"cat"}) == "a cat and a category"
    assert scrub("it's here: it's", {"it's"}) == "*** here: ***"


def test_hostile_texts_take_linear_time() -> None:
    """Texts that make naive patterns backtrack are masked quickly; else this test never ends."""
    for part in ("://a:", "a:", "(b'", "token=(", "%41", "a b ", "'", '\\"', "password='"):
        redact(part * 50_000)


@pytest.mark.parametrize("name", ["oauth2", "user_oauth2", "iban", "IBAN_2", "customer.iban"])
def test_names_of_redact(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in REDACT is secret with its digits, and so are names that end with it."""
    monkeypatch.setattr(secret_names, "SECRET_ENDINGS", {*secret_names.SECRET_ENDINGS})
    texts.add_secret_names(["oauth2", "iban"])
    try:
        assert secret_names.is_secret(name)
        assert texts.safe_text(f"{name}=x") == f"{name}=***"
    finally:
        monkeypatch.undo()
        texts.add_secret_names([])
    assert not secret_names.is_secret(name)
