"""source_redaction.py: literals under a secret name are masked in source code."""

import pytest

from my_service._internal.log.source_redaction import redact_source


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        ("password = 'a'", "password = '***'"),
        ("password: str = 'a' + b'c'", "password: str = '***' + '***'"),
        ("self.token += 'a'", "self.token += '***'"),
        ("x['api_key'], y = 'a', 1", "x['api_key'], y = '***', 1"),
        ("if (secret := 'a'): pass", "if (secret := '***'): pass"),
        ("call(n='a', token=f('b'))", "call(n='a', token=f('***'))"),
        ("{'token': 'a', 'n': 'b', **c}", "{'token': '***', 'n': 'b', **c}"),
        ("if password == 'a': pass", "if password == '***': pass"),
        ("x = ('token', 'a'), ['n', 'b']", "x = ('token', '***'), ['n', 'b']"),
        ("environ.get('DB_PASSWORD', 'a')", "environ.get('DB_PASSWORD', '***')"),
        (
            "def f(a, token='b', *, pwd='c', n='d'): ...",
            "def f(a, token='***', *, pwd='***', n='d'): ...",
        ),
        ("x = 'postgres://a:b@c/d'", "x = 'postgres://a:***@c/d'"),
        ("x = f'password=a {b}'", "x = f'password=*** {b}'"),
        ("set_password('a')", "set_password('***')"),
        ("if token is None: raise ValueError('a')", "if token is None: raise ValueError('a')"),
        ("if 'a' != secret: pass", "if '***' != secret: pass"),
        ("x = {'token': (1, 'a'), 'n': 'b'}", "x = {'token': (1, '***'), 'n': 'b'}"),
        ("x = f'{a} is fine'", "x = f'{a} is fine'"),
        ("pin_secret = 123456", "pin_secret = '***'"),
        ("token = tokens[0]", "token = tokens[0]"),
        ("x = 'ü'; token = 'a'  # token=b", "x = 'ü'; token = '***'  # token=***"),
        ("    token = '''a\n    b'''\n    x = 1", "    token = '***'\n\n    x = 1"),
        ("token: str", "token: str"),
        ("x = (password='a'", "x = (password='***'"),
        ("else: password='a'", "else: password='***'"),
    ],
)
def test_literals(source: str, masked: str) -> None:
    """A literal under a secret name is masked, and every line keeps its number."""
    assert redact_source(source) == masked
    assert redact_source(source).count("\n") == source.count("\n")


def test_empty_source() -> None:
    """Empty source stays empty."""
    assert redact_source("") == ""
