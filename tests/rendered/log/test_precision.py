"""Text that only looks like a secret stays readable."""

import pytest
from loguru import logger

from my_service._internal.log.redaction import redact
from my_service._internal.log.secret_names import is_secret
from my_service._internal.log.source_redaction import redact_source
from tests.conftest import Log

NAMES = """
max_tokens token_count tokenizer tokens token_type secretary secret_santa secrets author authors
authority authorized authorization_url cookie_policy cookie_consent passwordless passport
passenger compass bypass passed pass passage passive key keys keyboard monkey api_keys key_id
primary_key foreign_key public_key partition_key sort_key keyword apikeys_count dsn_count dsname
credentialed credential_count pwd_length spwd username user_id email name id uuid
status status_code count total price amount currency host port path url method schema protocol
request_id session_start trace_id span_id message level timestamp source elapsed user_agent referer
accept content_type content_length cache_control etag vary origin age server date expires
passwordless_login pass_rate pass_count key_count token_limit token_index token_bucket secretariat
cookie_jar cookie_domain cookie_name dsn_format credential_type authorization_server auth auth_type
api_version api_key_count access_level access_log private private_channel secretly
tokenization detokenize retoken_all accounts addresses articles baskets cards clients events
secretion tokenized cooked hostname database table column row index offset limit page cursor
tokens_used token_limit_reached tokenizer_name is_authorized authorized_by cookies_enabled dsn_scheme
pwd_hint_count dsn_host cookie_count secret_length secret_count secrets_rotated credentials_count key_rotation api_key_id access_keys
private_keys passwords_checked bypassed compassion keystone tokens_per_second
items[name] filter[author] user[email] sort[] page[limit] x[token_count]
""".split()

TEXTS = """
the secret of success is patience
no token was given
invalid token
Token expired two hours ago
password must have at least eight characters
forgot your password?
the cookie crumbles
set cookie policy to lax
authorization failed for user 5
a key was pressed
api key rotation is due
credentials are stored elsewhere
the author's name is missing
secretary of state
GET /hello HTTP/1.1
GET /items?page=2&sort=name&max_tokens=100
/static/passwords.html?token_count=5
https://example.com:8443/path?a=b#c
http://localhost:8000/@ann/status
https://example.com/a:b@c
mailto:ann@example.com
postgres://user@host:5432/db
ssh://git@host:22/repo.git
Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0
Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)
curl/8.5.0
python-httpx/0.28.1
12:30:45 done in 1.5s
2026-11-20T10:43:14.995991+00:00
elapsed=0.0123 status=200
user=ann id=5 total: 12.50 EUR
{"user": "ann", "items": [1, 2, 3]}
{'max_tokens': 100, 'author': 'ann'}
ratio 1:2, see chapter 3: passages
a = b == c != d
100% sure, 50%25 of it
/path/with%20blank?q=caf%C3%A9&x=%26
key: value
keys: a, b, c
primary_key=5
public_key=ssh-ed25519
token_count=3
tokens: 5
cookie_policy=lax
passwordless=true
secretary: Ann
authors=Ann, Bob
author: Ann
tokenizer=bpe
partition_key: 7
C:\\Users\\ann\\passport.txt
SELECT * FROM users WHERE id = 5
Traceback (most recent call last):
ZeroDivisionError: division by zero
KeyError: 'user'
expected ':' after 'if'
x: int = 5
<Task pending name='Task-1' coro=<main() running at app.py:5>>
select by name: ann; sort: asc
ok
event=password_changed user=bob status=200
path=/login/password status=200 elapsed=0.1
password attempts: 3
token expired: yes, user: ann
secret santa: 24 people
the cookie jar: empty
reset password for user=ann from ip=203.0.113.9
http://[::1]:8000/@ann
http://[::1]:8000
https://example.com:8443
see http://localhost:8000.
(http://localhost:8000/health)
http://localhost:{port}/health
kafka://a.example:9092,b.example:9092
https://github.com/@ann/status?page=2
https://example.com/users?email=b@other.example
{"msg":"see https://example.com:80","mail":"ann@example.com"}
{"fields": ["password", "email", "age"]}
required: ['token', 'name', 'id']
('password', 'email', 'age')
--tokens 5 --verbose
--max-tokens 5
Usage: run [--port PORT] [--host HOST]
it's ann's: 'quoted' and "quoted"
{"log": "it's done", "n": 1}
<p class="a">text: x</p>
a=b&c=d&e=f
q=caf%C3%A9&lang=fr
SELECT name, email FROM users WHERE token_count = 5
1 validation error for Item\nname\n  Field required [type=missing, input_value={'a': 1}, input_type=dict]
-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----
-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----
[{"name": "DB_HOST", "value": "db.example.com"}]
- name: LOG_LEVEL value: INFO
key: ann, value: 5
get_token(user)
check_tokens("a", "b")
tokenize('a b')
status: Bearer of bad news
100%
50%2 of it
%41 encoded
%zz not encoded
C:\\new\\tokens\\passport.txt
\\\\server\\share: x
a\\nb: c
{"a": "b\\nname: c"}
x[0][1]=y
items[$gt]=5
filter[name]=ann
~/.ssh/config: ok
key=value; other=value
Set-Cookie-Policy: strict
cookie consent: given
Authorization failed
authorization server: up
api keys: 5 active
private: yes
access: granted
secrets rotated: 5
dsn count: 2
""".strip().splitlines()

SOURCES = """
password = request.password
token = get_token(user, 5)
if token is None: raise ValueError("no token")
max_tokens = 100
author = "ann"
key = "name"
cookie_policy = {"same_site": "lax"}
return password == other.password
secrets.compare_digest(password, given)
log.info("password changed for %s", user)
if token is None: raise ValueError("no token")
columns = {"password": password, "email": "ann@example.com"}
print("tokens", "a", 12345)
def login(user: str, password: str) -> bool: ...
""".strip().splitlines()


def test_there_are_enough_samples() -> None:
    """There are at least 300 harmless names and texts."""
    assert len(NAMES) + len(TEXTS) + len(SOURCES) >= 300


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str, log: Log) -> None:
    """A value under a harmless name is shown, in a field and in a text."""
    assert not is_secret(name)
    logger.info("x", data={name: "value"}, pair=(name, "value"))
    [line] = log()
    assert line["data"] == {name: "value"}
    assert redact(f"{name}=value, {name}: value") == f"{name}=value, {name}: value"


@pytest.mark.parametrize("text", TEXTS)
def test_texts(text: str, log: Log) -> None:
    """Prose, addresses, requests and messages are unchanged."""
    logger.info("{x}", x=text)
    [line] = log()
    assert line["message"] == line["x"] == text


@pytest.mark.parametrize("source", SOURCES)
def test_source(source: str) -> None:
    """Code that handles secrets but contains none is unchanged."""
    assert redact_source(source) == source
